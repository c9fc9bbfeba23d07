#include "config/toml_node.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <exception>
#include <map>

#include "config/toml_keys.hpp"
#include "config/toml_text.hpp"

namespace muster {
namespace {

TextPosition position_of(const toml::source_location& location) {
  return {static_cast<uint32_t>(location.line()), static_cast<uint32_t>(location.column())};
}

const char* type_name(toml::value_t type) {
  switch (type) {
    case toml::value_t::floating:
      return "a float";
    case toml::value_t::table:
      return "a table";
    case toml::value_t::array:
      return "an array";
    default:
      return "a date or time";
  }
}

// Whether the text of an integer, as the file has it, fits in 64 bits.
bool integer_fits(std::string_view source) {
  std::string digits(source);
  digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
  if (digits.starts_with('+')) digits.erase(0, 1);
  int base = 10;
  if (digits.starts_with("0x")) base = 16;
  if (digits.starts_with("0o")) base = 8;
  if (digits.starts_with("0b")) base = 2;
  if (base != 10) digits.erase(0, 2);
  int64_t number = 0;
  const char* last = digits.data() + digits.size();
  const auto [end, error] = std::from_chars(digits.data(), last, number, base);
  return error == std::errc() && end == last;
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// Turns toml11's tree into TomlNodes; keeps the first problem in the order of the file.
class Conversion {
 public:
  explicit Conversion(const TomlKeys& keys) : keys_(keys) {}

  TomlNode table(const Toml& toml, const KeyPath& place) {
    TomlNode node = scalar(toml, place.at);
    node.kind = TomlNode::Kind::kTable;
    for (const auto& [name, child] : toml.as_table()) {
      KeyPath path = {position_of(child.location()), place.header_index + 1, 0};
      if (path.at == place.at) path.dotted_index = place.dotted_index + 1;
      TomlNode converted = any(child, path);
      converted.name = name;
      converted.key = keys_.find(path);
      if (has_control(name)) control(converted.key);
      node.children.push_back(std::move(converted));
    }
    std::sort(node.children.begin(), node.children.end(),
              [](const TomlNode& a, const TomlNode& b) { return a.key < b.key; });
    return node;
  }

  std::optional<std::pair<TextPosition, ValueProblem>> problem;

 private:
  TomlNode any(const Toml& toml, const KeyPath& path) {
    if (toml.is_table()) return table(toml, path);
    if (toml.is_array()) return array(toml, path);
    return scalar(toml, path.at);
  }

  TomlNode array(const Toml& toml, const KeyPath& place) {
    TomlNode node = scalar(toml, place.at);
    node.kind = TomlNode::Kind::kArray;
    Strings texts;
    for (const Toml& child : toml.as_array()) {
      KeyPath path = place;
      path.at = position_of(child.location());
      TomlNode converted = any(child, path);
      // An element of [[name]] stands at its header, any other at its value.
      const bool element_of_header = keys_.text_at(path.at, 2) == "[[" && child.is_table();
      converted.key = element_of_header ? keys_.find(path) : path.at;
      if (const auto* text = std::get_if<std::string>(&converted.value)) texts.push_back(*text);
      node.children.push_back(std::move(converted));
    }
    if (texts.size() == node.children.size()) node.value = std::move(texts);
    return node;
  }

  TomlNode scalar(const Toml& toml, TextPosition at) {
    TomlNode node;
    node.at = at;
    node.value = OtherValue{type_name(toml.type())};
    if (toml.is_boolean()) node.value = toml.as_boolean();
    if (toml.is_integer()) {
      node.value = int64_t{toml.as_integer()};
      const std::string_view source = keys_.text_at(at, toml.location().region());
      if (!integer_fits(source)) {
        report(
            at,
            {MUSTER_OUT_OF_RANGE, fmt::format("integer {} does not fit in 64 bits", source), {}});
      }
    }
    if (toml.is_string()) {
      node.value = toml.as_string().str;
      if (has_control(toml.as_string().str)) control(at);
    }
    return node;
  }

  void control(TextPosition at) {
    report(at, {MUSTER_INVALID_ARGUMENT, "a string with a control character", {}});
  }

  void report(TextPosition at, ValueProblem found) {
    if (!problem || at < problem->first) problem.emplace(at, std::move(found));
  }

  const TomlKeys& keys_;
};

// Takes a message of toml11 apart:
//   [error] toml::parse_array: cause
//    --> file
//     |
//   2 | the line
//     |     ^--- detail
// The last such block is the place; toml11's own idea of the place is often only that of the table.
Status syntax_error(const std::string& message, const TomlKeys& keys, const std::string& name) {
  std::istringstream lines(message);
  std::string cause;
  std::getline(lines, cause);
  for (const std::string_view prefix : {"[error] ", "toml::"}) {
    if (cause.starts_with(prefix)) cause.erase(0, prefix.size());
  }
  if (const size_t colon = cause.find(": "); cause.find(' ') == colon + 1 && colon < cause.size()) {
    cause.erase(0, colon + 2);
  }
  TextPosition at;
  uint32_t first_line = 0;
  std::string detail;
  for (std::string line; std::getline(lines, line);) {
    const size_t bar = line.find(" | ");
    if (bar == std::string::npos) continue;
    uint32_t number = 0;
    const size_t digit = line.find_first_not_of(' ');
    if (digit < bar) {
      std::from_chars(line.data() + digit, line.data() + bar, number);
      at.line = number;
      if (first_line == 0) first_line = number;
    } else if (const size_t mark = line.find_first_not_of(' ', bar + 3);
               mark != std::string::npos && (line[mark] == '^' || line[mark] == '~')) {
      at.column = static_cast<uint32_t>(mark - bar - 3 + 1);
      detail = line.substr(std::min(line.find_first_not_of("^~-", mark) + 1, line.size()));
    }
  }
  if (cause.find("already exists") != std::string::npos) {
    const size_t open = cause.find("(\"") + 2;
    const std::string key = cause.substr(open, cause.find("\")", open) - open);
    return status_at(name, keys.find({at, SIZE_MAX, SIZE_MAX}),
                     {MUSTER_INVALID_ARGUMENT, fmt::format("'{}' is defined twice", key),
                      fmt::format("it is first defined on line {}", first_line)});
  }
  if (cause.empty()) cause.swap(detail);
  if (!detail.empty() && detail != "here") cause += " (" + detail + ")";
  return status_at(name, at, {MUSTER_INVALID_ARGUMENT, "not valid TOML: " + cause, {}});
}

// The text with empty lines for those that are nothing but a comment: they are most of a file that
// explains itself, and half of the parser's time. Not where a string may span lines and hold one.
std::string without_comment_lines(std::string_view text) {
  if (text.find("\"\"\"") != text.npos || text.find("'''") != text.npos) return std::string(text);
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    const size_t begin = line.find_first_not_of(" \t");
    if (begin == line.npos || line[begin] != '#') out.append(line);
    if (line.size() < text.size()) out.push_back('\n');
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return out;
}

}  // namespace

Result<TomlNode> parse_toml(std::string_view text, const std::string& name) {
  MUSTER_TRY(check_toml_limits(text, name));
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const TomlKeys keys(text);
  try {
    const Toml toml = parse_toml_text(without_comment_lines(text), "toml");
    Conversion conversion(keys);
    TomlNode root = conversion.table(toml, {{0, 0}, SIZE_MAX, 0});
    if (conversion.problem) {
      return status_at(name, conversion.problem->first, conversion.problem->second);
    }
    return root;
  } catch (const toml::exception& error) {
    return syntax_error(error.what(), keys, name);
  } catch (const std::exception& error) {
    return Status(MUSTER_INVALID_ARGUMENT,
                  fmt::format("{}: not valid TOML: {}", name, error.what()));
  }
}

}  // namespace muster

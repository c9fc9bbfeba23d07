#include "config/toml_keys.hpp"

#include <algorithm>

namespace muster {
namespace {

constexpr std::string_view kBlank = " \t";

// The columns (from 0) of the components of the dotted key that starts at `start`.
std::vector<size_t> components(std::string_view line, size_t start) {
  std::vector<size_t> columns;
  size_t i = start;
  while (true) {
    i = std::min(line.find_first_not_of(kBlank, i), line.size());
    if (i == line.size()) return columns;
    columns.push_back(i);
    if (line[i] == '"' || line[i] == '\'') {
      const char quote = line[i];
      for (++i; i < line.size() && line[i] != quote; ++i) {
        if (line[i] == '\\' && quote == '"') ++i;
      }
      ++i;
    } else {
      while (i < line.size() && std::string_view(".=] \t").find(line[i]) == std::string_view::npos)
        ++i;
    }
    i = i < line.size() ? line.find_first_not_of(kBlank, i) : std::string_view::npos;
    if (i == std::string_view::npos || line[i] != '.') return columns;
    ++i;
  }
}

// The column (from 0) of the last component of the key that ends before `end`.
size_t start_of_key(std::string_view line, size_t end) {
  const size_t last = line.find_last_not_of(kBlank, end == 0 ? 0 : end - 1);
  if (last == std::string_view::npos) return 0;
  const char quote = line[last];
  if (quote != '"' && quote != '\'') {
    return line.find_last_of(" \t.,{", last) + 1;  // npos + 1 is 0
  }
  for (size_t i = last; i-- > 0;) {
    const bool escaped = quote == '"' && i > 0 && line[i - 1] == '\\';
    if (line[i] == quote && !escaped) return i;
  }
  return 0;
}

}  // namespace

TomlKeys::TomlKeys(std::string_view text) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines_.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::string_view TomlKeys::line(uint32_t number) const {
  return number >= 1 && number <= lines_.size() ? lines_[number - 1] : std::string_view();
}

std::string_view TomlKeys::text_at(TextPosition at, size_t size) const {
  const std::string_view text = line(at.line);
  return at.column <= text.size() ? text.substr(at.column - 1, size) : std::string_view();
}

TextPosition TomlKeys::find(const KeyPath& path) const {
  const std::string_view text = line(path.at.line);
  const size_t start = path.at.column - 1;
  if (start >= text.size()) return path.at;
  const size_t before =
      start == 0 ? std::string_view::npos : text.find_last_not_of(kBlank, start - 1);
  if (before != std::string_view::npos && text[before] == '=') {
    return {path.at.line, static_cast<uint32_t>(start_of_key(text, before) + 1)};
  }
  const bool header = text[start] == '[';
  const size_t first = header ? text.find_first_not_of('[', start) : start;
  const std::vector<size_t> columns = components(text, std::min(first, text.size()));
  const size_t index = header ? path.header_index : path.dotted_index;
  if (columns.empty()) return path.at;
  return {path.at.line, static_cast<uint32_t>(columns[std::min(index, columns.size() - 1)] + 1)};
}

}  // namespace muster

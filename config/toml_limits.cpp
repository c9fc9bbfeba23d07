#include <fmt/format.h>

#include <algorithm>

#include "config/toml_node.hpp"

namespace muster {

Status status_at(std::string_view name, TextPosition at, const ValueProblem& problem) {
  return Status(problem.code, fmt::format("{}:{}:{}: {}", name, at.line, at.column, problem.cause),
                problem.remedy);
}

namespace {

// Length of the UTF-8 sequence at the start of `text`, 0 when it is not one (overlong forms and
// surrogates are not).
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return first == 0 ? 0 : 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  const bool outside = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
                       (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
  return outside ? 0 : length;
}

Status check_encoding(std::string_view text, std::string_view name) {
  TextPosition at;
  for (size_t i = 0; i < text.size();) {
    const size_t length = utf8_length(text.substr(i));
    if (length == 0) {
      return status_at(name, at,
                       {MUSTER_INVALID_ARGUMENT,
                        text[i] == '\0' ? "a NUL byte"
                                        : fmt::format("byte 0x{:02x} is not UTF-8",
                                                      static_cast<unsigned char>(text[i])),
                        "write the file as UTF-8 text"});
    }
    at.column += static_cast<uint32_t>(length);
    if (text[i] == '\n') at = {at.line + 1, 1};
    i += length;
    if (at.column > kMaxTomlLineBytes + 1 || at.line > kMaxTomlLines) {
      return status_at(name, at,
                       {MUSTER_OUT_OF_RANGE,
                        fmt::format("more than {} lines, or {} bytes in a line", kMaxTomlLines,
                                    kMaxTomlLineBytes),
                        "split the file or the line"});
    }
  }
  return Status();
}

// The end of the string that starts at `start`, or of its line where it is not closed.
size_t end_of_string(std::string_view text, size_t start) {
  const char quote = text[start];
  const bool long_form = text.substr(start, 3) == std::string(3, quote);
  for (size_t i = start + (long_form ? 3 : 1); i < text.size(); ++i) {
    if (text[i] == '\\' && quote == '"') {
      ++i;
    } else if (!long_form && text[i] == '\n') {
      return i;
    } else if (text[i] == quote && !long_form) {
      return i + 1;
    } else if (text[i] == quote && text.substr(i, 3) == std::string(3, quote)) {
      i += 3;
      // Up to two more quotes belong to the text.
      for (int extra = 0; extra < 2 && i < text.size() && text[i] == quote; ++extra) ++i;
      return i;
    }
  }
  return text.size();
}

// Counts open brackets and the dots of the current key.
Status check_depth(std::string_view text, std::string_view name) {
  int brackets = 0;
  int dots = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '#') {
      i = std::min(text.find('\n', i), text.size()) - 1;
    } else if (c == '"' || c == '\'') {
      i = end_of_string(text, i) - 1;
    } else if (c == '[' || c == '{') {
      ++brackets;
      dots = 0;
    } else if (c == ']' || c == '}') {
      brackets = std::max(brackets - 1, 0);
      dots = 0;
    } else if (c == '.') {
      ++dots;
    } else if (c == '\n' || c == ',') {
      dots = 0;
    }
    if (brackets + dots > kMaxTomlDepth) {
      const std::string_view before = text.substr(0, i);
      const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
      const TextPosition at = {
          static_cast<uint32_t>(std::count(before.begin(), before.end(), '\n') + 1),
          static_cast<uint32_t>(i - line_start + 1)};
      return status_at(
          name, at,
          {MUSTER_OUT_OF_RANGE, fmt::format("nested deeper than {} levels", kMaxTomlDepth), {}});
    }
  }
  return Status();
}

}  // namespace

Status check_toml_limits(std::string_view text, std::string_view name) {
  if (text.size() > kMaxTomlBytes) {
    return Status(MUSTER_OUT_OF_RANGE, fmt::format("{}: larger than {} bytes", name, kMaxTomlBytes),
                  "split it, or check that this is the file that was meant");
  }
  MUSTER_TRY(check_encoding(text, name));
  return check_depth(text, name);
}

}  // namespace muster

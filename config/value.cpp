#include "config/value.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace muster {

const char* type_of(const Value& value) {
  if (const auto* other = std::get_if<OtherValue>(&value)) return other->type;
  static constexpr const char* kTypes[] = {"a boolean", "an integer", "a string", "an array"};
  return kTypes[value.index()];
}

ValueProblem wrong_type(std::string_view key, std::string_view wanted, const Value& value) {
  return {MUSTER_INVALID_ARGUMENT,
          fmt::format("'{}' must be {}, not {}", key, wanted, type_of(value)),
          {}};
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.append({'\\', c});
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string quoted_list(const Strings& texts) {
  std::string out = "[";
  for (const std::string& text : texts) out.append(out.size() > 1 ? ", " : "").append(quoted(text));
  return out + "]";
}

bool is_identifier(std::string_view text) {
  return !text.empty() && text.size() < 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace muster

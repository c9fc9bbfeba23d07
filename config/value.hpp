// A value of the configuration before it is checked against the option that it is for: what a file,
// a variable or the program wrote.
#ifndef MUSTER_CONFIG_VALUE_HPP
#define MUSTER_CONFIG_VALUE_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "config/config.hpp"

namespace muster {

// Any: what no option takes (a table, a float, a date, a mixed array).
struct OtherValue {
  const char* type = "a value";
};
using Value = std::variant<bool, int64_t, std::string, Strings, OtherValue>;

// What is wrong with a value; the caller adds where.
struct ValueProblem {
  muster_code code = MUSTER_INVALID_ARGUMENT;
  std::string cause;
  std::string remedy;
};

// "an integer", "a string", ...
const char* type_of(const Value& value);
// "'key' must be <wanted>, not <type>".
ValueProblem wrong_type(std::string_view key, std::string_view wanted, const Value& value);

// `text` as TOML writes a string.
std::string quoted(std::string_view text);
std::string quoted_list(const Strings& texts);

// [a-z0-9_]+, up to 63 characters: ids of backends and names of their options.
bool is_identifier(std::string_view text);

}  // namespace muster

#endif

// A TOML text as a tree in which every key and value has its line and column.
//
// Wraps toml11: it gives the place of values only, orders tables by name, saturates integers and
// recurses without limit. Here keys have places too, entries come in the order of the file, an
// integer that does not fit is an error, and size and nesting are limited before it parses.
// Thread rule: pure functions.
#ifndef MUSTER_CONFIG_TOML_NODE_HPP
#define MUSTER_CONFIG_TOML_NODE_HPP

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/value.hpp"
#include "core/base/status.hpp"

namespace muster {

// From 1; columns count bytes.
struct TextPosition {
  uint32_t line = 1;
  uint32_t column = 1;
  friend auto operator<=>(const TextPosition&, const TextPosition&) = default;
};

struct TomlNode {
  enum class Kind { kScalar, kArray, kTable };
  Kind kind = Kind::kScalar;
  std::string name;  // of the key; empty in arrays
  TextPosition key;  // in arrays: of the value, or of the header of an element of [[name]]
  TextPosition at;   // of the value
  Value value;       // of a scalar, or of an array of strings; else OtherValue
  std::vector<TomlNode> children;  // of a table in the order of the file; of an array its elements
};

// "name:line:column: cause".
Status status_at(std::string_view name, TextPosition at, const ValueProblem& problem);

constexpr size_t kMaxTomlBytes = 1 << 20;
constexpr size_t kMaxTomlLines = 10000;
constexpr size_t kMaxTomlLineBytes = 4096;
constexpr int kMaxTomlDepth = 32;

// Size, lines, encoding and nesting. Of strings and comments it knows only where they end.
Status check_toml_limits(std::string_view text, std::string_view name);

// `name` is that of the file, for errors.
Result<TomlNode> parse_toml(std::string_view text, const std::string& name);

}  // namespace muster

#endif

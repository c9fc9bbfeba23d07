// Where keys stand in a TOML text, worked out from the place of their values: toml11 gives only
// those.
#ifndef MUSTER_CONFIG_TOML_KEYS_HPP
#define MUSTER_CONFIG_TOML_KEYS_HPP

#include <string_view>
#include <vector>

#include "config/toml_node.hpp"

namespace muster {

// A place of a value or of a table as toml11 tells it (for a table the header [a.b], or the dotted
// key that made it), and which component of the header or key is meant. An index beyond the last
// means the last.
struct KeyPath {
  TextPosition at;
  size_t header_index = 0;  // how many tables it lies within
  size_t dotted_index = 0;  // how many of those came from the same dotted key
};

class TomlKeys {
 public:
  explicit TomlKeys(std::string_view text);
  TextPosition find(const KeyPath& path) const;
  // The text of `size` bytes at a place, cut at the end of the line.
  std::string_view text_at(TextPosition at, size_t size) const;

 private:
  std::string_view line(uint32_t number) const;
  std::vector<std::string_view> lines_;
};

}  // namespace muster

#endif

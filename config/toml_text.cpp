#include "config/toml_text.hpp"

#include <sstream>

namespace muster {

Toml parse_toml_text(std::string_view text, const std::string& name) {
  std::istringstream stream{std::string(text)};
  return toml::parse<toml::discard_comments, std::map, std::vector>(stream, name);
}

}  // namespace muster

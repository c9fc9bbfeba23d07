#include "config/config.hpp"

#include <fmt/format.h>

namespace muster {

std::string Source::text() const {
  switch (kind) {
    case Kind::kDefault:
      return "default";
    case Kind::kEnvironment:
      return name;
    case Kind::kFile:
    case Kind::kApi:
      break;
  }
  const std::string where = name.empty() ? "api" : name;
  return line == 0 ? where : fmt::format("{}:{}:{}", where, line, column);
}

const char* mode_name(Mode mode) {
  static constexpr const char* kNames[] = {"required", "preferred", "optional", "off"};
  return kNames[static_cast<size_t>(mode)];
}

}  // namespace muster

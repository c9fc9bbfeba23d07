// Reads a configuration file as a whole, with a cause that says why when it cannot be read.
#ifndef MUSTER_CONFIG_FILE_TEXT_HPP
#define MUSTER_CONFIG_FILE_TEXT_HPP

#include <string>

#include "core/base/status.hpp"

namespace muster {

// NOT_FOUND when there is none (also when a folder of its path is missing). At most one byte more
// than the limit of TOML texts is read.
Result<std::string> read_config_file(const std::string& path);

}  // namespace muster

#endif

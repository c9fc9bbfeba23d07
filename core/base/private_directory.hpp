// Directories of the user's own for what outlives the process: verdicts, built kernels.
//
// Any thread. Environment paths are ignored under elevated privilege.
#ifndef MUSTER_CORE_BASE_PRIVATE_DIRECTORY_HPP
#define MUSTER_CORE_BASE_PRIVATE_DIRECTORY_HPP

#include <string>

namespace muster {

// ${XDG_CACHE_HOME:-~/.cache}/muster/<name>; "" when the user has no home.
std::string user_cache_directory(const char* name);

// Makes the directory and those above it that are missing, for the user alone. False: see errno.
bool make_private_directory(const std::string& path);

// "" when nobody else can have put something there; else what is wrong with it.
std::string fault_of_private_directory(const std::string& path);

}  // namespace muster

#endif

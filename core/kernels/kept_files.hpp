// What the stores of built kernels do alike with their directories.
//
// Pure reads of the disk; any thread, any number of processes.
#ifndef MUSTER_CORE_KERNELS_KEPT_FILES_HPP
#define MUSTER_CORE_KERNELS_KEPT_FILES_HPP

#include <string>
#include <vector>

namespace muster {

// Sorted, without hidden ones; empty where there is no such directory.
std::vector<std::string> names_in(const std::string& directory);
// Whether somebody holds the file's lock (flock), as who builds does.
bool is_locked(const std::string& path);

}  // namespace muster

#endif

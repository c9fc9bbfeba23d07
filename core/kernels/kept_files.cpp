#include "core/kernels/kept_files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>

#include "core/base/unique_fd.hpp"

namespace muster {

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  DIR* const stream = directory.empty() ? nullptr : opendir(directory.c_str());
  if (stream == nullptr) return names;
  while (const dirent* item = readdir(stream)) {
    if (item->d_name[0] != '.') names.emplace_back(item->d_name);
  }
  closedir(stream);
  std::sort(names.begin(), names.end());
  return names;
}

bool is_locked(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDWR | O_CLOEXEC));
  return file.valid() && flock(file.get(), LOCK_EX | LOCK_NB) != 0;
}

}  // namespace muster

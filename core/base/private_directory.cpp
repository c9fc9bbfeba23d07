#include "core/base/private_directory.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace muster {

std::string user_cache_directory(const char* name) {
  const std::string below = std::string("/muster/") + name;
  if (const char* cache = secure_getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/') {
    return cache + below;
  }
  if (const char* home = secure_getenv("HOME"); home != nullptr && *home == '/') {
    return std::string(home) + "/.cache" + below;
  }
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(16384);
  if (getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 &&
      found != nullptr && found->pw_dir != nullptr && *found->pw_dir == '/') {
    return std::string(found->pw_dir) + "/.cache" + below;
  }
  return {};
}

bool make_private_directory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return true;
  if (errno != ENOENT) return false;
  const size_t slash = path.rfind('/');
  if (slash == 0 || slash == std::string::npos || !make_private_directory(path.substr(0, slash))) {
    return false;
  }
  return mkdir(path.c_str(), 0700) == 0 || errno == EEXIST;
}

std::string fault_of_private_directory(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return std::strerror(errno);
  if (!S_ISDIR(status.st_mode)) return "not a directory";
  if (status.st_uid != geteuid()) return fmt::format("owned by user {}", status.st_uid);
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) return "writable by others";
  return {};
}

}  // namespace muster

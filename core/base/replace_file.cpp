#include "core/base/replace_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>

namespace muster {
namespace {

bool write_whole(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    text.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

bool replace_file(const std::string& path, std::string_view text) {
  static std::atomic<unsigned> serial{0};
  const std::string fresh = fmt::format("{}.tmp-{}-{}", path, getpid(), serial++);
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return false;
  const bool written = write_whole(fd, text);
  int error = errno;
  const bool closed = close(fd) == 0;
  if (written && !closed) error = errno;
  if (written && closed) {
    if (rename(fresh.c_str(), path.c_str()) == 0) return true;
    error = errno;
  }
  unlink(fresh.c_str());
  errno = error;
  return false;
}

}  // namespace muster

#include "config/file_text.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "config/toml_node.hpp"
#include "core/base/unique_fd.hpp"

namespace muster {
namespace {

Status unreadable(const std::string& path, int error) {
  const bool missing = error == ENOENT || error == ENOTDIR;
  const bool refused = error == EACCES || error == EPERM;
  return Status(missing   ? MUSTER_NOT_FOUND
                : refused ? MUSTER_PERMISSION_DENIED
                          : MUSTER_INVALID_ARGUMENT,
                fmt::format("cannot read configuration file {}: {}", path, std::strerror(error)),
                missing   ? "check the path"
                : refused ? "make the file readable for this user"
                          : "");
}

}  // namespace

Result<std::string> read_config_file(const std::string& path) {
  // Without O_NONBLOCK a named pipe would wait for a writer.
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) return unreadable(path, errno);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return unreadable(path, errno);
  if (S_ISDIR(status.st_mode)) return unreadable(path, EISDIR);
  if (!S_ISREG(status.st_mode) && path != "/dev/null") {
    return Status(MUSTER_INVALID_ARGUMENT,
                  fmt::format("cannot read configuration file {}: not a regular file", path));
  }
  std::string text;
  char buffer[1 << 16];
  while (text.size() <= kMaxTomlBytes) {
    const ssize_t count = read(file.get(), buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unreadable(path, errno);
    if (count == 0) break;
    text.append(buffer, static_cast<size_t>(count));
  }
  return text;
}

}  // namespace muster

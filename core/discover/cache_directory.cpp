#include "core/discover/cache_directory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "core/base/digest.hpp"
#include "core/base/log.hpp"
#include "core/base/private_directory.hpp"
#include "core/base/replace_file.hpp"

namespace muster {
namespace {

constexpr size_t kMostBytes = 256 * 1024;

void say_not_kept(const std::string& directory, const std::string& why) {
  static std::atomic<bool> said{false};
  if (said.exchange(true)) return;
  log_warn(fmt::format("verdicts of probes are not kept: {}: {}",
                       directory.empty() ? "no home directory" : directory, why));
}

}  // namespace

std::string read_small_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return {};
  std::string text;
  char part[8192];
  ssize_t n = 0;
  while (text.size() < kMostBytes && (n = read(fd, part, sizeof(part))) > 0) {
    text.append(part, static_cast<size_t>(n));
  }
  close(fd);
  return text;
}

CacheDirectory::CacheDirectory(const Config& config)
    : path_(config.plugins_cache_dir.value.empty() ? user_cache_directory("probe")
                                                   : config.plugins_cache_dir.value) {
  char host[256] = {};
  gethostname(host, sizeof(host) - 1);
  node_ = host;
  if (!path_.empty() && access(path_.c_str(), F_OK) == 0) {
    if (const std::string fault = fault_of_private_directory(path_); !fault.empty()) {
      say_not_kept(path_, fault);
      path_.clear();
    }
  }
}

std::string CacheDirectory::file_of(const std::string& plugin_path, const char* suffix) const {
  if (path_.empty()) return {};
  // The node is part of the name because home directories are shared by nodes.
  return path_ + "/" + digest_of(node_ + "\n" + plugin_path).text() + suffix;
}

bool CacheDirectory::prepare() const {
  if (path_.empty()) {
    say_not_kept(path_, "no directory for the cache");
    return false;
  }
  const std::string fault =
      make_private_directory(path_) ? fault_of_private_directory(path_) : std::strerror(errno);
  if (!fault.empty()) say_not_kept(path_, fault);
  return fault.empty();
}

void CacheDirectory::replace(const std::string& file, const std::string& text) const {
  if (prepare() && !replace_file(file, text)) say_not_kept(file, std::strerror(errno));
}

}  // namespace muster

#include "plugins/backends/cuda_peer/cubin_cache.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "muster/plugin.hpp"
#include "plugins/backends/cuda_peer/digest.hpp"

namespace muster::cuda_peer {
namespace {

constexpr const char* kFormat = "muster-cubin 1 ";
constexpr size_t kLogShown = 600;

// Held until the object, or the process, ends. Not held where no file can be made.
class FileLock {
 public:
  explicit FileLock(const std::string& path)
      : file_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) {
    while (file_ >= 0 && flock(file_, LOCK_EX) != 0 && errno == EINTR) {
    }
  }
  ~FileLock() {
    if (file_ >= 0) close(file_);
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int file_;
};

bool write_whole(const std::string& path, const std::string& text) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return false;
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = write(file, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<size_t>(n);
  }
  const bool closed = close(file) == 0;
  return closed && done == text.size();
}

}  // namespace

std::optional<std::string> CubinCache::find(const CubinKey& key) const {
  if (directory_.empty()) return std::nullopt;
  std::ifstream stream(path_of(key), std::ios::binary);
  std::string line;
  if (!std::getline(stream, line)) return std::nullopt;
  std::ostringstream content;
  content << stream.rdbuf();
  std::string cubin = content.str();
  if (cubin.empty() || line != kFormat + key.digest + " " + digest_of(cubin)) return std::nullopt;
  return cubin;
}

bool CubinCache::store(const CubinKey& key, const std::string& cubin) const {
  static std::atomic<unsigned> number{0};
  const std::string fresh =
      path_of(key) + ".tmp-" + std::to_string(getpid()) + "-" + std::to_string(number++);
  const bool written =
      write_whole(fresh, kFormat + key.digest + " " + digest_of(cubin) + "\n" + cubin) &&
      rename(fresh.c_str(), path_of(key).c_str()) == 0;
  if (!written) unlink(fresh.c_str());
  return written;
}

std::string CubinCache::get(const CubinKey& key, const std::function<Compiled()>& build) const {
  if (std::optional<std::string> ready = find(key)) return *ready;
  const std::string log = path_of(key) + ".log";
  std::optional<FileLock> lock;
  if (!directory_.empty()) {
    lock.emplace(directory_ + "/" + key.file_name() + ".lock");
    if (std::optional<std::string> ready = find(key)) return *ready;
  }
  Compiled compiled = build();
  if (!compiled.cubin.empty()) {
    if (!directory_.empty() && store(key, compiled.cubin)) unlink(log.c_str());
    return std::move(compiled.cubin);
  }
  std::string place;
  if (!directory_.empty()) {
    unlink(log.c_str());
    if (write_whole(log, compiled.log + "\n")) place = "; the log is " + log;
  }
  plugin::fail(
      MUSTER_UNAVAILABLE,
      "kernels " + key.name + " cannot be built: " + compiled.log.substr(0, kLogShown) + place,
      "install NVRTC (libnvrtc) of CUDA 12 or later");
}

}  // namespace muster::cuda_peer

#include "core/discover/elf_file.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace muster {
namespace {

// A window begins at a page, so that a read of kLargestRead from anywhere in it fits.
constexpr uint64_t kPage = 4096;

size_t read_fully(int fd, unsigned char* out, size_t bytes, uint64_t offset) {
  size_t done = 0;
  while (done < bytes) {
    const ssize_t n = pread(fd, out + done, bytes - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

}  // namespace

bool ElfFile::read(uint64_t offset, void* out, size_t bytes) {
  if (bytes > kLargestRead || !holds(offset, bytes)) return false;
  for (size_t i = 0; i < windows_.size(); ++i) {
    const Window& window = windows_[i];
    if (offset >= window.offset && offset + bytes <= window.offset + window.bytes) {
      last_used_ = i;
      std::memcpy(out, window.data.data() + (offset - window.offset), bytes);
      return true;
    }
  }
  last_used_ = 1 - last_used_;
  Window& window = windows_[last_used_];
  window.offset = offset - offset % kPage;
  const uint64_t left = size_ - window.offset;
  window.bytes = read_fully(fd_, window.data.data(),
                            static_cast<size_t>(left < kWindow ? left : kWindow), window.offset);
  // The file may have become shorter since it was opened.
  if (offset + bytes > window.offset + window.bytes) return false;
  std::memcpy(out, window.data.data() + (offset - window.offset), bytes);
  return true;
}

}  // namespace muster

// Bounded reads of a file that may be hostile: every read is checked against the size the file had
// when it was opened, and nothing is mapped (a file cut short while mapped would end the process).
//
// One thread. Two windows are kept, because the headers and the data of a small plugin are two
// places: a plugin is judged with a handful of system calls.
#ifndef MUSTER_CORE_DISCOVER_ELF_FILE_HPP
#define MUSTER_CORE_DISCOVER_ELF_FILE_HPP

#include <array>
#include <cstddef>
#include <cstdint>

namespace muster {

class ElfFile {
 public:
  // Borrows the descriptor.
  ElfFile(int fd, uint64_t size) : fd_(fd), size_(size) {}

  uint64_t size() const { return size_; }
  // True when offset..offset+bytes lies inside the file.
  bool holds(uint64_t offset, uint64_t bytes) const {
    return bytes <= size_ && offset <= size_ - bytes;
  }
  // False, and nothing written, when any of it lies outside or cannot be read. At most kLargestRead
  // bytes.
  bool read(uint64_t offset, void* out, size_t bytes);
  template <typename T>
  bool read(uint64_t offset, T* out) {
    return read(offset, out, sizeof(T));
  }

  static constexpr size_t kLargestRead = 4096;

 private:
  static constexpr size_t kWindow = 8192;
  struct Window {
    uint64_t offset = 0;
    size_t bytes = 0;
    std::array<unsigned char, kWindow> data;
  };
  int fd_;
  uint64_t size_;
  std::array<Window, 2> windows_;
  size_t last_used_ = 0;
};

}  // namespace muster

#endif

// Page-aligned memory that its owner has touched, for measured buffers. Nothing is linked.
#ifndef MUSTER_CORE_CLI_PAGE_MEMORY_HPP
#define MUSTER_CORE_CLI_PAGE_MEMORY_HPP

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <new>
#include <utility>

namespace muster::cli {

class PageMemory {
 public:
  PageMemory() = default;
  explicit PageMemory(size_t bytes) : bytes_(std::max<size_t>(bytes, 1)) {
    data_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (data_ == MAP_FAILED) throw std::bad_alloc();
  }
  ~PageMemory() {
    if (data_ != nullptr) munmap(data_, bytes_);
  }
  PageMemory(PageMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}
  PageMemory& operator=(PageMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  char* data() const { return static_cast<char*>(data_); }
  size_t size() const { return data_ == nullptr ? 0 : bytes_; }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace muster::cli

#endif

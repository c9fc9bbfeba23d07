// Shared memory without a name: a sealed memfd and its mappings. Nothing is left behind when ranks
// die. Thread rule: any thread. As what MPI calls a shared-memory window.
#ifndef MUSTER_PLUGINS_SHM_SEGMENT_HPP
#define MUSTER_PLUGINS_SHM_SEGMENT_HPP

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace muster::shm {

// Owns a descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { reset(); }
  int get() const { return fd_; }
  void reset();

 private:
  int fd_ = -1;
};

// A zeroed memory file whose size can no longer change. Throws RESOURCE_EXHAUSTED or UNAVAILABLE.
Descriptor make_memory(uint64_t bytes);

// One mapping of one memory file, shared by all who ask for the same file in this process.
// Rationale: ranks that are threads then use the same addresses, which saves page tables and lets
// the thread sanitizer see what they do to each other.
class Mapping {
 public:
  // Throws DATA_LOSS for a file that is not a sealed one of `bytes` bytes.
  static std::shared_ptr<Mapping> of(const Descriptor& memory, uint64_t bytes);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  std::byte* data() const { return data_; }

 private:
  struct Key {
    dev_t device;
    ino_t inode;
    bool operator<(const Key& other) const {
      return std::pair(device, inode) < std::pair(other.device, other.inode);
    }
  };
  struct Known;
  Mapping(Key key, std::byte* data, uint64_t bytes) : key_(key), data_(data), bytes_(bytes) {}
  static Known& known();

  Key key_;
  std::byte* data_;
  uint64_t bytes_;
};

}  // namespace muster::shm

#endif

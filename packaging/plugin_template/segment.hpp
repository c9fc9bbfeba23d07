// One rank's part of the memory that a group shares: a file without a name, so that nothing is left
// over when a process dies, and its mapping. Made by its owner alone, mapped by every rank.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "muster/plugin.hpp"

constexpr uint64_t kChunkBytes = 64 * 1024;

// What lies in the file. Words that different ranks wait on are a cache line apart.
struct Segment {
  alignas(64) muster_wait_word written;  // how many rounds the owner has filled `chunk` for
  alignas(64) muster_wait_word read;     // how many rounds the owner has read in everybody's chunk
  alignas(64) unsigned char chunk[kChunkBytes];
};

class SegmentFile {
 public:
  static SegmentFile make() {
    SegmentFile made(memfd_create("@NAME@", MFD_CLOEXEC));
    if (made.fd_ < 0 || ftruncate(made.fd_, sizeof(Segment)) != 0) {
      muster::plugin::fail(MUSTER_UNAVAILABLE,
                           std::string("no shared memory: ") + std::strerror(errno),
                           "look at the limits of memory and of open files (ulimit -a)");
    }
    return made;
  }

  explicit SegmentFile(int32_t owned) : fd_(owned) {}
  SegmentFile(SegmentFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  SegmentFile& operator=(SegmentFile&&) = delete;
  ~SegmentFile() {
    if (fd_ >= 0) close(fd_);
  }
  int32_t get() const { return fd_; }

 private:
  int32_t fd_;
};

class MappedSegment {
 public:
  explicit MappedSegment(const SegmentFile& file)
      : memory_(mmap(nullptr, sizeof(Segment), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0)) {
    if (memory_ == MAP_FAILED) {
      muster::plugin::fail(MUSTER_RESOURCE_EXHAUSTED,
                           std::string("cannot map a peer's memory: ") + std::strerror(errno));
    }
  }
  MappedSegment(MappedSegment&& other) noexcept : memory_(std::exchange(other.memory_, nullptr)) {}
  MappedSegment& operator=(MappedSegment&&) = delete;
  ~MappedSegment() {
    if (memory_ != nullptr) munmap(memory_, sizeof(Segment));
  }
  Segment* operator->() const { return static_cast<Segment*>(memory_); }

 private:
  void* memory_;
};

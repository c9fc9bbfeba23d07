#include "tests/ranks/shared_memory.hpp"

#include <cstdio>
#include <stdexcept>
#include <string>

namespace muster::ranks {
namespace {

// Offsets of blocks: cache lines of some pages.
constexpr uint64_t kLine = 64;
constexpr uint64_t kOffsets = 256;

std::string taken_over(muster_status* status) {
  std::string message = muster_status_message(status);
  muster_status_release(status);
  return message;
}

void check(muster_status* status) {
  if (status != nullptr) throw std::runtime_error(taken_over(status));
}

void report(muster_status* status) {
  if (status != nullptr) std::printf("shared memory: %s\n", taken_over(status).c_str());
}

}  // namespace

SharedMemory::SharedMemory(muster_group* group, uint32_t slots, uint64_t bytes)
    : group_(group),
      slot_bytes_((bytes + kLine - 1) / kLine * kLine + kLine * kOffsets),
      piece_bytes_((slots + kPieces - 1) / kPieces * slot_bytes_),
      taken_(slots) {
  for (unsigned char*& piece : pieces_) {
    void* made = nullptr;
    check(muster_mem_alloc(group_, piece_bytes_, MUSTER_HOST, &made));
    piece = static_cast<unsigned char*>(made);
  }
}

SharedMemory::~SharedMemory() {
  for (unsigned char* const piece : pieces_) {
    for (muster_group* const other : others_) report(muster_mem_deregister(other, piece));
    report(muster_mem_free(group_, piece));
  }
}

void SharedMemory::also_for(muster_group* group) {
  for (unsigned char* const piece : pieces_) {
    check(muster_mem_register(group, piece, piece_bytes_, MUSTER_HOST));
  }
  others_.push_back(group);
}

SharedMemory::Block SharedMemory::take(uint64_t bytes, uint64_t random) {
  const uint64_t offset = random % kOffsets * kLine;
  if (offset + bytes > slot_bytes_) return {};
  // The first that is free: few of them are ever touched.
  for (uint32_t slot = 0; slot < taken_.size(); ++slot) {
    if (taken_[slot]) continue;
    taken_[slot] = true;
    return {this, slot, pieces_[slot % kPieces] + slot / kPieces * slot_bytes_ + offset};
  }
  return {};
}

}  // namespace muster::ranks

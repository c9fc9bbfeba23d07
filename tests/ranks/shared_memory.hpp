// Memory that every rank of a group knows, cut into blocks for the buffers of cases.
//
// Made and destroyed by all ranks of the group together; which block a rank takes is its own
// affair. Thread rule: the group's. Blocks are given back before it goes.
#ifndef MUSTER_TESTS_RANKS_SHARED_MEMORY_HPP
#define MUSTER_TESTS_RANKS_SHARED_MEMORY_HPP

#include <cstdint>
#include <utility>
#include <vector>

#include "muster/muster.h"

namespace muster::ranks {

class SharedMemory {
 public:
  class Block {
   public:
    Block() = default;
    Block(SharedMemory* owner, uint32_t slot, unsigned char* data)
        : owner_(owner), slot_(slot), data_(data) {}
    Block(Block&& other) noexcept { *this = std::move(other); }
    Block& operator=(Block&& other) noexcept {
      std::swap(owner_, other.owner_);
      std::swap(slot_, other.slot_);
      std::swap(data_, other.data_);
      return *this;
    }
    ~Block() {
      if (owner_ != nullptr) owner_->taken_[slot_] = false;
    }
    // NULL: there is no block.
    unsigned char* data() const { return data_; }

   private:
    SharedMemory* owner_ = nullptr;
    uint32_t slot_ = 0;
    unsigned char* data_ = nullptr;
  };

  // `slots` blocks of up to `bytes`, in two allocations. Throws std::runtime_error.
  SharedMemory(muster_group* group, uint32_t slots, uint64_t bytes);
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  // Registers all of it with one more group of the same ranks, for as long as this lives.
  void also_for(muster_group* group);
  // A block at a random multiple of 64 bytes; none when all are taken or too small.
  Block take(uint64_t bytes, uint64_t random);

 private:
  static constexpr uint32_t kPieces = 2;

  muster_group* const group_;
  const uint64_t slot_bytes_;
  unsigned char* pieces_[kPieces] = {};
  uint64_t piece_bytes_ = 0;
  std::vector<bool> taken_;
  std::vector<muster_group*> others_;
};

}  // namespace muster::ranks

#endif

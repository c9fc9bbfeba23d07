// Where the blocks of the ranks lie in a buffer of n of them: equal blocks, or the counts and
// displacements of a v-operation. In bytes.
#ifndef MUSTER_PLUGINS_SHM_BLOCKS_HPP
#define MUSTER_PLUGINS_SHM_BLOCKS_HPP

#include <algorithm>
#include <cstdint>
#include <vector>

namespace muster::shm {

struct Block {
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

// Part of a block.
struct Piece {
  uint64_t at;  // in the buffer
  uint64_t bytes;
};

// Sized once for the group, so that a call allocates nothing.
class Blocks {
 public:
  explicit Blocks(uint32_t size) : blocks_(size) {}

  void assign(uint64_t element_bytes, uint64_t count) {
    const uint64_t bytes = count * element_bytes;
    for (size_t r = 0; r < blocks_.size(); ++r) blocks_[r] = {r * bytes, bytes};
    smallest_ = largest_ = bytes;
    end_ = blocks_.size() * bytes;
  }
  // displs NULL: packed in rank order.
  void assign(uint64_t element_bytes, const uint64_t* counts, const uint64_t* displs) {
    uint64_t packed = 0;
    smallest_ = UINT64_MAX;
    largest_ = end_ = 0;
    for (size_t r = 0; r < blocks_.size(); ++r) {
      const uint64_t offset = displs != nullptr ? displs[r] : packed;
      blocks_[r] = {offset * element_bytes, counts[r] * element_bytes};
      packed += counts[r];
      smallest_ = std::min(smallest_, blocks_[r].bytes);
      largest_ = std::max(largest_, blocks_[r].bytes);
      end_ = std::max(end_, blocks_[r].offset + blocks_[r].bytes);
    }
  }

  const Block& operator[](uint32_t rank) const { return blocks_[rank]; }
  // What the step that begins at `from` moves of a rank's block, at most `most` bytes.
  Piece piece(uint32_t rank, uint64_t from, uint64_t most) const {
    const Block& block = blocks_[rank];
    if (from >= block.bytes) return {block.offset, 0};
    return {block.offset + from, std::min(most, block.bytes - from)};
  }
  uint64_t smallest() const { return smallest_; }
  uint64_t largest() const { return largest_; }
  // Behind the last byte of any block.
  uint64_t end() const { return end_; }

 private:
  std::vector<Block> blocks_;
  uint64_t smallest_ = 0;
  uint64_t largest_ = 0;
  uint64_t end_ = 0;
};

}  // namespace muster::shm

#endif

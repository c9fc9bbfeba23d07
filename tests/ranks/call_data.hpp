// The buffers of one rank's part of a case, filled and checked: random inputs, poisoned outputs,
// guard bytes around both, any alignment that the element allows.
//
// Thread rule: one thread at a time. The buffers stay where they are from prepare to the next
// prepare, whose memory is reused.
#ifndef MUSTER_TESTS_RANKS_CALL_DATA_HPP
#define MUSTER_TESTS_RANKS_CALL_DATA_HPP

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "muster/call.h"
#include "tests/ranks/reference.hpp"
#include "tests/ranks/shape.hpp"
#include "tests/ranks/shared_memory.hpp"

namespace muster::ranks {

// Memory of a length, with guard bytes before and after it.
class Guarded {
 public:
  static constexpr uint64_t kGuard = 64;
  // `bytes` of poison, `shift` bytes off the alignment of the allocation, which is of `shared` if
  // there is any and it has room.
  void reset(uint64_t bytes, uint64_t shift, SharedMemory* shared = nullptr, uint64_t random = 0);
  unsigned char* data() { return base_ + begin_; }
  uint64_t bytes() const { return bytes_; }
  bool guards_hold() const;
  // With the guard bytes.
  std::pair<unsigned char*, uint64_t> whole() { return {base_, begin_ + bytes_ + kGuard}; }
  static bool poisoned(const unsigned char* from, uint64_t bytes);
  void poison();

 private:
  std::vector<unsigned char> memory_;
  SharedMemory::Block block_;
  unsigned char* base_ = nullptr;  // of one of them
  uint64_t begin_ = 0;
  uint64_t bytes_ = 0;
};

class CallData {
 public:
  // shared: for the places that ask for it.
  void prepare(const Case& c, uint32_t rank, uint32_t size, SharedMemory* shared = nullptr);
  // New inputs and poisoned outputs in the same buffers, for a plan.
  void refill(uint64_t data_seed);
  const muster_call& call() const { return call_; }
  // What send and recv lie in, guard bytes included; for a copy of them in other memory.
  std::array<std::pair<unsigned char*, uint64_t>, 2> buffers() {
    return {send_.whole(), recv_.whole()};
  }
  bool takes_part() const { return shape_.takes_part; }
  // After the call: the result, and that nothing else was written. sampled: of long reductions only
  // a random part.
  void check(bool sampled, Wrong& wrong);

 private:
  // A buffer of the case: 0 send, 1 recv or both of them in place, then those of the fused one.
  void reset(Guarded& buffer, uint32_t which, uint64_t bytes, SharedMemory* shared);
  void fill();
  unsigned char* send() { return shape_.in_place ? both_at(shape_.send_at) : send_.data(); }
  unsigned char* recv() { return shape_.in_place ? both_at(shape_.recv_at) : recv_.data(); }
  unsigned char* both_at(uint64_t element) { return recv_.data() + element * element_; }
  Input input(uint32_t rank) const { return {data_seed_, rank, case_.dtype, case_.special}; }
  Reduction reduction() const;
  void check_piece(const Piece& piece, bool sampled, Wrong& wrong);
  void check_untouched(uint64_t begin, uint64_t end, Wrong& wrong);
  void check_rest(Wrong& wrong);
  void check_fused(bool sampled, Wrong& wrong);

  Case case_;
  uint32_t rank_ = 0;
  uint32_t size_ = 0;
  uint64_t element_ = 1;
  uint64_t recv_element_ = 1;
  uint64_t data_seed_ = 0;
  Shape shape_;
  Guarded send_;
  Guarded recv_;  // and send, in place
  Guarded residual_, residual_out_, weight_, scales_;
  muster_fused_rmsnorm fused_ = {};
  std::array<unsigned char, 8> scalar_ = {};
  muster_call call_ = {};
};

}  // namespace muster::ranks

#endif

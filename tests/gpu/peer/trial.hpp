// One case with its buffers on the device: poisoned, run, compared with the reference to the bit,
// the bytes around the result too.
#ifndef MUSTER_TESTS_GPU_PEER_TRIAL_HPP
#define MUSTER_TESTS_GPU_PEER_TRIAL_HPP

#include "tests/gpu/peer/reference.hpp"
#include "tests/gpu/peer/world.hpp"

namespace muster::peer_test {

enum class Place { kOut, kIn };
// Whether all ranks know the buffers, and how they can: plain memory goes by cudaIpc between
// processes, virtual memory by file descriptors. kPartly: the last rank does not use what is known.
enum class Knowledge { kNone, kPlain, kVirtual, kPartly };

// Room for the largest case of a rank.
struct Arena {
  Arena(Rank& rank, uint64_t bytes, Knowledge knowledge = Knowledge::kNone);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  Rank& rank;
  const uint64_t bytes;  // of each, with the margins
  cu::DevicePointer send;
  cu::DevicePointer recv;
  const Knowledge knowledge;
  // Buffers lie at different places of what is known, rank by rank.
  uint64_t offset() const { return knowledge == Knowledge::kNone ? 0 : 64 * rank.rank; }

 private:
  cu::DevicePointer allocate();
  void release(cu::DevicePointer pointer);

  std::vector<void*> registrations_;
  cu::DevicePointer aside_ = 0;  // known, and not used
};

class Trial {
 public:
  static constexpr uint64_t kMargin = 1024;

  // shift: bytes by which send, and twice that by which recv, miss their alignment.
  Trial(Arena& arena, const Case& c, Place place, uint64_t shift);
  // Uploads operands and poisons the result.
  void reset();
  std::string run();  // enqueues; "" or the cause
  void check(const std::string& what);
  // New operands.
  void reseed(uint64_t seed);

 private:
  uint64_t recv_bytes() const;
  void upload();

  Arena& arena_;
  Case case_;
  Place place_;
  cu::DevicePointer send_;
  cu::DevicePointer recv_;
  cu::DevicePointer window_;  // recv with its margins
  Bytes operand_;
};

}  // namespace muster::peer_test

#endif

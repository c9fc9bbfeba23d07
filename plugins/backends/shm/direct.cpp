#include "plugins/backends/shm/direct.hpp"

#include <algorithm>

namespace muster::shm {
namespace {

// A block is reduced and then written to all results. Where they are written around the caches it
// is small: reading the next one is then on its way while the stores of this one drain.
constexpr uint64_t kCachedBlock = 8192;
constexpr uint64_t kStreamedBlock = 1024;

class Slice {
 public:
  Slice(State& state, const Reduction& reduction)
      : state_(state), reduction_(reduction), rank_(state.rank()) {}

  void reduce() {
    const Slices all(0, reduction_.call.count, reduction_.element, state_.size());
    const uint64_t begin = all.in_operand(rank_);
    const uint64_t bytes = all.bytes(rank_);
    const muster_call& call = reduction_.call;
    for (uint32_t r = 0; r < state_.size(); ++r) {
      state_.sources[r] = at(r == rank_ ? call.send : state_.peer_send[r], begin);
    }
    // Results that replace their sources are in the caches anyhow.
    const bool beside = goes_around(rank_);
    const uint64_t most = any_goes_around() ? kStreamedBlock : kCachedBlock;
    for (uint64_t done = 0; done < bytes; done += most) {
      const uint64_t length = std::min(most, bytes - done);
      std::byte* const own = at(call.recv, begin + done);
      std::byte* const sums = beside ? state_.sums_of(kStreamedBlock) : own;
      reduction_.kernel(sums, state_.sources.data(), state_.size(), length / reduction_.element,
                        call.scalar, state_.size());
      if (beside) state_.copies.around(own, sums, length);
      for (uint32_t i = 1; i < state_.size(); ++i) {
        const uint32_t r = state_.stage.peer(i);
        put(r, state_.peer_recv[r] + begin + done, sums, length);
      }
      for (const void*& source : state_.sources) source = at(source, length);
    }
    fence_copies();
  }

 private:
  // The cores of one cache share the way to memory, which then is what takes the time. So the own
  // result stays in the caches half as long again as the others': they carry half of it.
  bool goes_around(uint32_t rank) const {
    const uint64_t whole = reduction_.bytes;
    if (!state_.copies.goes_around(rank == rank_ ? whole / 3 * 2 : whole)) return false;
    return rank == rank_ ? !reduction_.in_place()
                         : state_.peer_send[rank] != state_.peer_recv[rank];
  }
  bool any_goes_around() const {
    for (uint32_t r = 0; r < state_.size(); ++r) {
      if (goes_around(r)) return true;
    }
    return false;
  }
  void put(uint32_t rank, std::byte* to, const std::byte* sums, uint64_t bytes) {
    if (goes_around(rank)) {
      state_.copies.around(to, sums, bytes);
    } else {
      copy_bytes(to, sums, bytes);
    }
  }

  State& state_;
  const Reduction& reduction_;
  const uint32_t rank_;
};

}  // namespace

void reduce_into_all(State& state, const Reduction& reduction) { Slice(state, reduction).reduce(); }

}  // namespace muster::shm

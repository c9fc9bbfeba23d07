#include "plugins/backends/nccl/host_calls.hpp"

#include <chrono>
#include <string>
#include <thread>

#include "plugins/cuda_driver/raise.hpp"

namespace muster::nccl {

using plugin::fail;

HostCalls::~HostCalls() {
  // What is still on it keeps it; the driver ends it afterwards.
  if (stream_ == nullptr) return;
  const cuda::Current current(life_.driver(), life_.context());
  life_.driver().stream_destroy(stream_);
}

Stream HostCalls::stream() {
  if (stream_ == nullptr) {
    cuda::raising([&] {
      life_.driver().check(life_.driver().stream_create(&stream_, cuda::kStreamDefault),
                           "cuStreamCreate");
    });
  }
  return stream_;
}

// What may be in the way of the end. A rank that is done with its part may leave before the others
// are done with theirs, so its absence is a failure only if nothing ends for a while.
void HostCalls::look(uint64_t& gone_ns) const {
  constexpr uint64_t kPatienceNs = 2'000'000'000;
  look_back();
  const uint64_t now = group_.host().now_ns();
  for (uint32_t peer = 0; peer < group_.size(); ++peer) {
    if (group_.peer_alive(peer)) continue;
    if (gone_ns == 0) gone_ns = now;
    if (now - gone_ns >= kPatienceNs)
      fail(MUSTER_PEER_LOST, "rank " + std::to_string(peer) + " of the group is gone",
           "look for its exit or signal in its own output; the group cannot be used any more");
  }
  if (now < group_.deadline_ns()) return;
  fail(MUSTER_DEADLINE_EXCEEDED, "a call was not done at the deadline",
       "look whether all ranks make the same calls in the same order; the limit is [group] "
       "timeout_ms");
}

// A stream runs empty as well when NCCL gives up.
void HostCalls::look_back() const {
  if (life_.aborted())
    fail(MUSTER_ABORTED, "the group was aborted during a call",
         "destroy the group and create it anew");
  life_.check_async();
}

void HostCalls::wait() {
  const cuda::BesideCapture beside(life_.driver());
  constexpr uint32_t kSpins = 2000;
  uint64_t gone_ns = 0;
  for (uint32_t looked = 0;; ++looked) {
    const cuda::Result result = life_.driver().stream_query(stream_);
    if (result == cuda::kSuccess) return look_back();
    if (result != cuda::kNotReady)
      cuda::raising([&] { life_.driver().check(result, "a call on device memory"); });
    if (looked < kSpins) continue;
    if (looked % 50 == 0) look(gone_ns);
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
}

}  // namespace muster::nccl

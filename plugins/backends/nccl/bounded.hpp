// A call of a vendor's that blocks for as long as it likes, under a bound.
//
// It runs on a thread of its own. Who waits goes on when the bound is over; the call is left to
// itself, and what it works on must be its own (shared). Thread rule: any thread.
#ifndef MUSTER_PLUGINS_BACKENDS_NCCL_BOUNDED_HPP
#define MUSTER_PLUGINS_BACKENDS_NCCL_BOUNDED_HPP

#include <atomic>
#include <cstdint>
#include <functional>

#include "muster/plugin.hpp"

namespace muster::nccl {

// True once the body has returned; false at the deadline (on the host's clock) or when `stop`,
// which may be NULL, was set. The body must not throw.
bool run_bounded(const plugin::Host& host, uint64_t deadline_ns, const std::atomic<bool>* stop,
                 std::function<void()> body);

}  // namespace muster::nccl

#endif

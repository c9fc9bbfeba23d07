// How far a call reaches into its buffers on this rank.
//
// Pure; any thread.
#ifndef MUSTER_CORE_DISPATCH_EXTENTS_HPP
#define MUSTER_CORE_DISPATCH_EXTENTS_HPP

#include <cstdint>

#include "muster/call.h"

namespace muster {

// Bytes from the begin of send to the end of what is read, and from the begin of recv to the end of
// what is written.
struct Extents {
  uint64_t send = 0;
  uint64_t recv = 0;
};

// Of a prepared call.
Extents extents_of(const muster_call& call, uint32_t rank, uint32_t size);

}  // namespace muster

#endif

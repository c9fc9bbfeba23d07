// A world whose ranks are threads of this process: for tests and for single-process programs with
// several devices.
//
// Made and released by the program (muster_threads_create), joined through threads_bootstrap() with
// a ThreadsSeat as the instance. A rank that has closed counts as gone: waiting for a key that it
// never put fails with PEER_LOST. The ranks may join and leave several times, all equally often.
// Thread rule: any thread. Equivalent to a thread-based MPI world (MPC, MPICH's threadcomm).
#ifndef MUSTER_CORE_BOOTSTRAP_THREADS_HPP
#define MUSTER_CORE_BOOTSTRAP_THREADS_HPP

#include <cstdint>

#include "core/base/status.hpp"

struct muster_threads;

namespace muster {

// Borrowed until open returns.
struct ThreadsSeat {
  muster_threads* world;
  uint32_t rank;
};

Result<muster_threads*> threads_create(uint32_t size);
// Takes NULL. After every rank has closed.
void threads_destroy(muster_threads* world);
uint32_t threads_size(const muster_threads* world);
// How many values are held for the ranks.
size_t threads_held(muster_threads* world);

}  // namespace muster

#endif

// Ranks as threads over the real shared-memory backend.
#ifndef MUSTER_TESTS_UNIT_TENSORS_SHM_WORLD_HPP
#define MUSTER_TESTS_UNIT_TENSORS_SHM_WORLD_HPP

#include <functional>
#include <numeric>

#include "muster/tensors.hpp"
#include "tests/unit/agree/recorder.hpp"

namespace muster::testing {

inline World shm_world(uint32_t ranks) {
  return World(ranks).config(
      "plugins.probe = \"in-process\"\nbackend.mpi.mode = \"off\"\ngroup.timeout_ms = 20000\n");
}

// Runs a body with a group over the whole world of `ranks`.
inline void on_ranks(uint32_t ranks, const std::function<void(api::Group&)>& body) {
  shm_world(ranks).run([&](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime);
    body(group);
  });
}

// Bytes that depend on their place and on a seed.
inline std::vector<char> pattern(size_t bytes, uint32_t seed) {
  std::vector<char> out(bytes);
  for (size_t i = 0; i < bytes; ++i) out[i] = static_cast<char>(i * 31 + i / 255 + seed * 17 + 3);
  return out;
}

// What an operation has cost this rank so far.
struct Cost {
  uint64_t calls = 0;
  uint64_t bytes = 0;
};
inline Cost cost_of(api::Group& group, muster_op op) {
  std::pair<muster_op, Cost> asked{op, {}};
  group.counters(
      [](void* context, muster_op counted, const char*, uint64_t calls, uint64_t bytes) {
        auto& wanted = *static_cast<std::pair<muster_op, Cost>*>(context);
        if (counted != wanted.first) return;
        wanted.second.calls += calls;
        wanted.second.bytes += bytes;
      },
      &asked);
  return asked.second;
}

}  // namespace muster::testing

#endif

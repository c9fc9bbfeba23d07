// One core for each rank of a node. Nothing is linked.
#ifndef MUSTER_CORE_CLI_PROCESSORS_HPP
#define MUSTER_CORE_CLI_PROCESSORS_HPP

#include <sched.h>

#include <cstdint>
#include <cstdlib>

namespace muster::cli {

struct LocalPlace {
  uint32_t rank = 0;
  uint32_t ranks = 0;  // 0: no launcher has said
};

// Which rank of this node the process is, as muster's launcher, Open MPI's or MPICH's says.
inline LocalPlace local_place() {
  static constexpr const char* kNames[][2] = {
      {"MUSTER_LOCAL_RANK", "MUSTER_LOCAL_SIZE"},
      {"OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"},
      {"MPI_LOCALRANKID", "MPI_LOCALNRANKS"}};
  for (const auto& [rank, ranks] : kNames) {
    const char* const rank_text = std::getenv(rank);
    const char* const ranks_text = std::getenv(ranks);
    if (rank_text == nullptr || ranks_text == nullptr) continue;
    return {static_cast<uint32_t>(std::strtoul(rank_text, nullptr, 10)),
            static_cast<uint32_t>(std::strtoul(ranks_text, nullptr, 10))};
  }
  return {};
}

// Pins this thread, and threads that it starts later, to the rank-th of the cores that it may use;
// does nothing where there are fewer cores than ranks. True: pinned.
inline bool bind_to_processor(const LocalPlace& place) {
  cpu_set_t allowed;
  if (place.ranks == 0 || sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return false;
  if (static_cast<uint32_t>(CPU_COUNT(&allowed)) < place.ranks) return false;
  uint32_t before = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || before++ != place.rank) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    return sched_setaffinity(0, sizeof(one), &one) == 0;
  }
  return false;
}

}  // namespace muster::cli

#endif

// What depends on the processor: where its cores keep what they share, and how far that is.
// Measured (README.md) on EPYC 7003 and Sapphire Rapids; where an option asks for "as measured".
#ifndef MUSTER_PLUGINS_SHM_PROCESSOR_HPP
#define MUSTER_PLUGINS_SHM_PROCESSOR_HPP

#include <cstdint>

namespace muster::shm {

struct Processor {
  uint64_t chunk_bytes;   // of a step
  uint64_t stream_bytes;  // results from this size on are better written around the caches
  uint64_t far_ns;        // from how many nanoseconds on a line is far; 0: none is
  // The largest all_reduce of two ranks in one shot; 0: as bands.def says.
  uint64_t one_shot_bytes;
};

// Several level 3 caches in a socket, near to their cores, and memory that is nearer than another
// such cache.
inline constexpr Processor kSeveralCaches = {256 * 1024, 8 * 1024 * 1024, 70, 0};
// A large level 2 cache in each core, and one level 3 cache for all that is no nearer than memory:
// what a call touches had better stay in the former. Nobody is far. To look at all of an operand
// takes less than to meet twice (32 KiB 3.9 us against 5.3, 64 KiB 7.2 against 7.9).
inline constexpr Processor kLargeSecondLevel = {128 * 1024, 1024 * 1024, 0, 64 * 1024};
// Of others nothing is known.
inline constexpr Processor kOther = {256 * 1024, 8 * 1024 * 1024, 0, 0};

// amd: whether it is one of AMD's. second_level_bytes: of a core's level 2 cache; 0: not known.
Processor processor_of(bool amd, int64_t second_level_bytes);
Processor this_processor();

}  // namespace muster::shm

#endif

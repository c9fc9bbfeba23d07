// Which way to reduce, by size: the one place that chooses. offer states it as size bands, execute
// follows it. Equal on all ranks: options are part of what the ranks agree on.
#ifndef MUSTER_PLUGINS_SHM_BANDS_HPP
#define MUSTER_PLUGINS_SHM_BANDS_HPP

#include <cstdint>
#include <string>

#include "muster/types.h"

namespace muster::shm {

// The largest size of one shot, per operation, in a group of one size. 0: never.
struct Bands {
  uint64_t all_reduce = 0;
  uint64_t reduce = 0;
  uint64_t fused = 0;

  // one_shot_bytes: for all operations (a quarter of it for the fused one), or -1: as bands.def
  // says. tuned: "all_reduce/2=16384,reduce/2=8192", operation, ranks and bytes, goes before
  // bands.def and is for groups of just that size. pair_bytes: of an all_reduce of two ranks on
  // this processor, before bands.def too, but behind tuned; 0: not known. Nothing exceeds
  // chunk_bytes. Throws INVALID_ARGUMENT, naming the entry.
  static Bands of(int64_t one_shot_bytes, const std::string& tuned, uint64_t chunk_bytes,
                  uint32_t ranks, uint64_t pair_bytes = 0);
};

}  // namespace muster::shm

#endif

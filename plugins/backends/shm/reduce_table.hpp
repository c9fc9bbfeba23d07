// The reduce kernels of one group, looked up once when it connects.
#ifndef MUSTER_PLUGINS_SHM_REDUCE_TABLE_HPP
#define MUSTER_PLUGINS_SHM_REDUCE_TABLE_HPP

#include <cstdint>
#include <string>

#include "muster/kernels.h"
#include "muster/plugin.hpp"
#include "plugins/backends/shm/vocabulary.hpp"

namespace muster::shm {

class ReduceTable {
 public:
  // For a group of `size` ranks. Throws UNAVAILABLE, naming the pair, when the runtime lacks a
  // kernel that was offered.
  void resolve(const plugin::Host& host, uint32_t size) {
    for (muster_dtype dtype = 0; dtype < MUSTER_DTYPE_END; ++dtype) {
      for (muster_redop redop = 0; redop < MUSTER_REDOP_END; ++redop) {
        if (!reduces(dtype, redop)) continue;
        kernels_[dtype][redop] =
            host.kernel<muster_host_reduce>(MUSTER_FAMILY_HOST_REDUCE, dtype, redop);
        if (kernels_[dtype][redop] == nullptr) {
          plugin::fail(MUSTER_UNAVAILABLE,
                       "the runtime has no kernel host_reduce/1 for dtype " +
                           std::to_string(dtype) + ", reduce operation " + std::to_string(redop),
                       "use the runtime that this plugin was built for");
        }
        if (size != 2) continue;
        pairs_[dtype][redop] =
            host.kernel<muster_host_reduce_pair>(MUSTER_FAMILY_HOST_REDUCE_PAIR, dtype, redop);
      }
    }
  }

  muster_host_reduce of(const muster_call& call) const {
    if (!reduces(call.dtype, call.redop)) {
      plugin::fail(MUSTER_UNIMPLEMENTED, "no reduce operation " + std::to_string(call.redop) +
                                             " for dtype " + std::to_string(call.dtype));
    }
    return kernels_[call.dtype][call.redop];
  }
  // Of two sources, into two places. NULL where the runtime has none for such a call, which of()
  // has been asked for, and in groups of another size.
  muster_host_reduce_pair pair_of(const muster_call& call) const {
    return call.scalar == nullptr ? pairs_[call.dtype][call.redop] : nullptr;
  }

 private:
  muster_host_reduce kernels_[MUSTER_DTYPE_END][MUSTER_REDOP_END] = {};
  muster_host_reduce_pair pairs_[MUSTER_DTYPE_END][MUSTER_REDOP_END] = {};
};

}  // namespace muster::shm

#endif

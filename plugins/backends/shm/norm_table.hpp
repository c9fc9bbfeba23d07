// The kernels of the fused operation of one group, looked up once when it connects.
#ifndef MUSTER_PLUGINS_SHM_NORM_TABLE_HPP
#define MUSTER_PLUGINS_SHM_NORM_TABLE_HPP

#include <string>

#include "muster/kernels.h"
#include "muster/plugin.hpp"
#include "plugins/backends/shm/vocabulary.hpp"

namespace muster::shm {

class NormTable {
 public:
  // Throws UNAVAILABLE, naming family and dtype, when the runtime lacks a kernel that was offered.
  void resolve(const plugin::Host& host) {
    for (muster_dtype dtype = 0; dtype < MUSTER_DTYPE_END; ++dtype) {
      if ((kNormalised & MUSTER_BIT(dtype)) == 0) continue;
      plain_[dtype] = find<muster_host_rmsnorm>(host, MUSTER_FAMILY_HOST_RMSNORM, dtype);
      quantised_[dtype] =
          find<muster_host_rmsnorm_quant>(host, MUSTER_FAMILY_HOST_RMSNORM_QUANT, dtype);
    }
  }

  muster_host_rmsnorm plain(muster_dtype dtype) const { return of(plain_, dtype); }
  muster_host_rmsnorm_quant quantised(muster_dtype dtype) const { return of(quantised_, dtype); }

 private:
  template <typename Function>
  static Function find(const plugin::Host& host, const char* family, muster_dtype dtype) {
    const auto found = host.kernel<Function>(family, dtype, MUSTER_REDOP_NONE);
    if (found == nullptr) {
      plugin::fail(MUSTER_UNAVAILABLE,
                   std::string("the runtime has no kernel ") + family + " for dtype " +
                       std::to_string(dtype),
                   "use the runtime that this plugin was built for");
    }
    return found;
  }
  template <typename Function>
  static Function of(const Function (&table)[MUSTER_DTYPE_END], muster_dtype dtype) {
    if (dtype >= MUSTER_DTYPE_END || table[dtype] == nullptr) {
      plugin::fail(MUSTER_UNIMPLEMENTED, "no RMSNorm of dtype " + std::to_string(dtype));
    }
    return table[dtype];
  }

  muster_host_rmsnorm plain_[MUSTER_DTYPE_END] = {};
  muster_host_rmsnorm_quant quantised_[MUSTER_DTYPE_END] = {};
};

}  // namespace muster::shm

#endif

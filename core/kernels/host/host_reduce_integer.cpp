#include "host_kernels.hpp"
#include "host_reduce.hpp"

namespace muster::kernels {
namespace {

template <bool kStreaming>
muster_host_reduce integer_of(muster_dtype dtype, muster_redop redop) {
  switch (dtype) {
    case MUSTER_I8:
      return host_reduce_of<MUSTER_I8, Integer<int8_t>, kStreaming>(redop);
    case MUSTER_U8:
      return host_reduce_of<MUSTER_U8, Integer<uint8_t>, kStreaming>(redop);
    case MUSTER_I16:
      return host_reduce_of<MUSTER_I16, Integer<int16_t>, kStreaming>(redop);
    case MUSTER_U16:
      return host_reduce_of<MUSTER_U16, Integer<uint16_t>, kStreaming>(redop);
    case MUSTER_I32:
      return host_reduce_of<MUSTER_I32, Integer<int32_t>, kStreaming>(redop);
    case MUSTER_U32:
      return host_reduce_of<MUSTER_U32, Integer<uint32_t>, kStreaming>(redop);
    case MUSTER_I64:
      return host_reduce_of<MUSTER_I64, Integer<int64_t>, kStreaming>(redop);
    case MUSTER_U64:
      return host_reduce_of<MUSTER_U64, Integer<uint64_t>, kStreaming>(redop);
    case MUSTER_BOOL:
      return host_reduce_of<MUSTER_BOOL, Bool, kStreaming>(redop);
    default:
      return nullptr;
  }
}

}  // namespace

muster_host_reduce integer_host_reduce(Algorithm algorithm, muster_dtype dtype,
                                       muster_redop redop) {
  return algorithm == Algorithm::kStreaming ? integer_of<true>(dtype, redop)
                                            : integer_of<false>(dtype, redop);
}

}  // namespace muster::kernels

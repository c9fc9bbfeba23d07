#include "host_kernels.hpp"
#include "host_reduce.hpp"

namespace muster::kernels {
namespace {

template <typename Kind>
typename Kind::Function integer_of(muster_dtype dtype, muster_redop redop) {
  switch (dtype) {
    case MUSTER_I8:
      return host_reduce_of<Kind, MUSTER_I8, Integer<int8_t>>(redop);
    case MUSTER_U8:
      return host_reduce_of<Kind, MUSTER_U8, Integer<uint8_t>>(redop);
    case MUSTER_I16:
      return host_reduce_of<Kind, MUSTER_I16, Integer<int16_t>>(redop);
    case MUSTER_U16:
      return host_reduce_of<Kind, MUSTER_U16, Integer<uint16_t>>(redop);
    case MUSTER_I32:
      return host_reduce_of<Kind, MUSTER_I32, Integer<int32_t>>(redop);
    case MUSTER_U32:
      return host_reduce_of<Kind, MUSTER_U32, Integer<uint32_t>>(redop);
    case MUSTER_I64:
      return host_reduce_of<Kind, MUSTER_I64, Integer<int64_t>>(redop);
    case MUSTER_U64:
      return host_reduce_of<Kind, MUSTER_U64, Integer<uint64_t>>(redop);
    case MUSTER_BOOL:
      return host_reduce_of<Kind, MUSTER_BOOL, Bool>(redop);
    default:
      return nullptr;
  }
}

}  // namespace

muster_host_reduce integer_host_reduce(Algorithm algorithm, muster_dtype dtype,
                                       muster_redop redop) {
  return algorithm == Algorithm::kStreaming ? integer_of<Streaming>(dtype, redop)
                                            : integer_of<Cached>(dtype, redop);
}

muster_host_reduce_pair integer_host_reduce_pair(muster_dtype dtype, muster_redop redop) {
  return integer_of<Pair>(dtype, redop);
}

}  // namespace muster::kernels

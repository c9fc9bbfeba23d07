#include "plugins/backends/nccl/types.hpp"

namespace muster::nccl {
namespace {

enum : RedOp { kSum = 0, kProd = 1, kMax = 2, kMin = 3, kAvg = 4 };

RedOp redop_of_bool(muster_redop redop) {
  switch (redop) {
    case MUSTER_MIN:
    case MUSTER_BAND:
    case MUSTER_LAND:
      return kMin;
    case MUSTER_MAX:
    case MUSTER_BOR:
    case MUSTER_LOR:
      return kMax;
    default:
      return kNoRedOp;
  }
}

}  // namespace

Datatype datatype_of(muster_dtype dtype) {
  switch (dtype) {
    case MUSTER_I8:
      return 0;
    case MUSTER_U8:
    case MUSTER_BOOL:
      return kBytes;
    case MUSTER_I32:
      return 2;
    case MUSTER_U32:
      return 3;
    case MUSTER_I64:
      return 4;
    case MUSTER_U64:
      return 5;
    case MUSTER_F16:
      return 6;
    case MUSTER_F32:
      return 7;
    case MUSTER_F64:
      return 8;
    case MUSTER_BF16:
      return 9;
    case MUSTER_F8E4M3:
      return 10;
    case MUSTER_F8E5M2:
      return 11;
    default:
      return kNoDatatype;
  }
}

RedOp redop_of(muster_dtype dtype, muster_redop redop) {
  if (datatype_of(dtype) == kNoDatatype) return kNoRedOp;
  if (dtype == MUSTER_BOOL) return redop_of_bool(redop);
  switch (redop) {
    case MUSTER_SUM:
      return kSum;
    case MUSTER_PROD:
      return kProd;
    case MUSTER_MIN:
      return kMin;
    case MUSTER_MAX:
      return kMax;
    case MUSTER_AVG:
      return kAvg;
    default:
      return kNoRedOp;
  }
}

}  // namespace muster::nccl

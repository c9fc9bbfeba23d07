// What this backend must know about the vocabulary of types.h.
#ifndef MUSTER_PLUGINS_SHM_VOCABULARY_HPP
#define MUSTER_PLUGINS_SHM_VOCABULARY_HPP

#include <cstdint>

#include "muster/backend.h"
#include "muster/types.h"

namespace muster::shm {

// Masks of muster_rule.
inline constexpr uint64_t kIntegers =
    MUSTER_BIT(MUSTER_I8) | MUSTER_BIT(MUSTER_U8) | MUSTER_BIT(MUSTER_I16) |
    MUSTER_BIT(MUSTER_U16) | MUSTER_BIT(MUSTER_I32) | MUSTER_BIT(MUSTER_U32) |
    MUSTER_BIT(MUSTER_I64) | MUSTER_BIT(MUSTER_U64) | MUSTER_BIT(MUSTER_BOOL);
inline constexpr uint64_t kFloats = MUSTER_BIT(MUSTER_F16) | MUSTER_BIT(MUSTER_BF16) |
                                    MUSTER_BIT(MUSTER_F32) | MUSTER_BIT(MUSTER_F64);
// What the fused operation takes.
inline constexpr uint64_t kNormalised =
    MUSTER_BIT(MUSTER_F16) | MUSTER_BIT(MUSTER_BF16) | MUSTER_BIT(MUSTER_F32);
inline constexpr uint64_t kReducible = kIntegers | kFloats;
inline constexpr uint64_t kMovable =
    kReducible | MUSTER_BIT(MUSTER_F8E4M3) | MUSTER_BIT(MUSTER_F8E5M2);
inline constexpr uint64_t kArithmetic = MUSTER_BIT(MUSTER_SUM) | MUSTER_BIT(MUSTER_PROD) |
                                        MUSTER_BIT(MUSTER_MIN) | MUSTER_BIT(MUSTER_MAX) |
                                        MUSTER_BIT(MUSTER_AVG);
inline constexpr uint64_t kBitwise = MUSTER_BIT(MUSTER_BAND) | MUSTER_BIT(MUSTER_BOR) |
                                     MUSTER_BIT(MUSTER_BXOR) | MUSTER_BIT(MUSTER_LAND) |
                                     MUSTER_BIT(MUSTER_LOR) | MUSTER_BIT(MUSTER_LXOR);

constexpr bool reduces(muster_dtype dtype, muster_redop redop) {
  return dtype < MUSTER_DTYPE_END && redop < MUSTER_REDOP_END &&
         (((kReducible & MUSTER_BIT(dtype)) != 0 && (kArithmetic & MUSTER_BIT(redop)) != 0) ||
          ((kIntegers & MUSTER_BIT(dtype)) != 0 && (kBitwise & MUSTER_BIT(redop)) != 0));
}

}  // namespace muster::shm

#endif

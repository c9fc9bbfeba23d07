// What this backend must know about the vocabulary of types.h.
#ifndef MUSTER_PLUGINS_CUDA_PEER_VOCABULARY_HPP
#define MUSTER_PLUGINS_CUDA_PEER_VOCABULARY_HPP

#include <cstdint>

#include "muster/backend.h"
#include "muster/types.h"

namespace muster::cuda_peer {

// Masks of muster_rule.
inline constexpr uint64_t kReducible =
    MUSTER_BIT(MUSTER_F16) | MUSTER_BIT(MUSTER_BF16) | MUSTER_BIT(MUSTER_F32);
inline constexpr uint64_t kMovable = MUSTER_BIT(MUSTER_DTYPE_END) - MUSTER_BIT(MUSTER_I8);
inline constexpr uint64_t kRedops = MUSTER_BIT(MUSTER_SUM) | MUSTER_BIT(MUSTER_PROD) |
                                    MUSTER_BIT(MUSTER_MIN) | MUSTER_BIT(MUSTER_MAX) |
                                    MUSTER_BIT(MUSTER_AVG);
inline constexpr muster_op kReductions[] = {MUSTER_ALL_REDUCE, MUSTER_REDUCE_SCATTER};
inline constexpr muster_op kMoves[] = {MUSTER_ALL_GATHER, MUSTER_ALL_TO_ALL, MUSTER_BROADCAST};

constexpr bool is_reduction(muster_op op) {
  return op == MUSTER_ALL_REDUCE || op == MUSTER_REDUCE_SCATTER;
}
constexpr bool is_move(muster_op op) {
  return op == MUSTER_ALL_GATHER || op == MUSTER_ALL_TO_ALL || op == MUSTER_BROADCAST;
}
constexpr bool contains(uint64_t mask, uint32_t value) {
  return value < 64 && (mask & MUSTER_BIT(value)) != 0;
}

}  // namespace muster::cuda_peer

#endif

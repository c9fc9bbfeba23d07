// Names of the vocabulary of types.h, both ways: used by logs, configuration, command and explain.
#ifndef MUSTER_CORE_BASE_NAMES_HPP
#define MUSTER_CORE_BASE_NAMES_HPP

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "muster/names.h"
#include "muster/types.h"

namespace muster {

// Static strings; "unknown" for a number outside the vocabulary.
inline const char* op_name(muster_op op) { return muster_op_name(op); }
inline const char* dtype_name(muster_dtype dtype) { return muster_dtype_name(dtype); }
inline const char* redop_name(muster_redop redop) { return muster_redop_name(redop); }
inline const char* memory_name(muster_memory memory) { return muster_memory_name(memory); }
inline const char* phase_name(muster_phase phase) { return muster_phase_name(phase); }
inline const char* determinism_name(muster_determinism determinism) {
  return muster_determinism_name(determinism);
}
inline const char* stream_kind_name(muster_stream_kind kind) {
  return muster_stream_kind_name(kind);
}

std::optional<muster_op> op_from_name(std::string_view name);
std::optional<muster_dtype> dtype_from_name(std::string_view name);
std::optional<muster_redop> redop_from_name(std::string_view name);
std::optional<muster_memory> memory_from_name(std::string_view name);
std::optional<muster_phase> phase_from_name(std::string_view name);
std::optional<muster_determinism> determinism_from_name(std::string_view name);

// All valid names, for messages: "i8, u8, ...".
std::string all_op_names();
std::string all_dtype_names();
std::string all_redop_names();
std::string all_memory_names();

// The candidate nearest to `name` by edit distance, empty when none is near enough to suggest.
std::string_view nearest_name(std::string_view name, std::span<const std::string_view> candidates);

// Bytes per element, 0 outside the vocabulary.
constexpr uint64_t dtype_size(muster_dtype dtype) { return MUSTER_DTYPE_BYTES(dtype); }
static_assert(dtype_size(MUSTER_I8) == 1 && dtype_size(MUSTER_U16) == 2 &&
              dtype_size(MUSTER_U32) == 4);
static_assert(dtype_size(MUSTER_U64) == 8 && dtype_size(MUSTER_BOOL) == 1 &&
              dtype_size(MUSTER_BF16) == 2);
static_assert(dtype_size(MUSTER_F32) == 4 && dtype_size(MUSTER_F64) == 8 &&
              dtype_size(MUSTER_F8E5M2) == 1);
constexpr bool is_integer(muster_dtype dtype) { return dtype >= MUSTER_I8 && dtype <= MUSTER_BOOL; }
constexpr bool op_reduces(muster_op op) {
  return op >= MUSTER_ALL_REDUCE && op <= MUSTER_FUSED_ALL_REDUCE_RMSNORM;
}
constexpr bool op_is_rooted(muster_op op) {
  return op == MUSTER_REDUCE || op == MUSTER_BROADCAST ||
         (op >= MUSTER_GATHER && op <= MUSTER_SCATTERV);
}
constexpr bool op_is_point_to_point(muster_op op) {
  return op >= MUSTER_SEND && op <= MUSTER_SEND_RECV;
}
// The streams that work on a kind of memory is enqueued to; NONE for the host's.
constexpr muster_stream_kind stream_kind_of(muster_memory memory) {
  return memory > MUSTER_HOST && memory < MUSTER_MEMORY_END
             ? memory - MUSTER_CUDA + MUSTER_STREAM_CUDA
             : muster_stream_kind{MUSTER_STREAM_NONE};
}
static_assert(stream_kind_of(MUSTER_HOST) == MUSTER_STREAM_NONE &&
              stream_kind_of(MUSTER_CUDA) == MUSTER_STREAM_CUDA &&
              stream_kind_of(MUSTER_HIP) == MUSTER_STREAM_HIP &&
              stream_kind_of(MUSTER_LEVEL_ZERO) == MUSTER_STREAM_SYCL &&
              stream_kind_of(MUSTER_GAUDI) == MUSTER_STREAM_SYNAPSE &&
              stream_kind_of(MUSTER_ASCEND) == MUSTER_STREAM_ACL &&
              stream_kind_of(MUSTER_MUSA) == MUSTER_STREAM_MUSA &&
              stream_kind_of(MUSTER_MLU) == MUSTER_STREAM_CNRT);
// Whether a reduce operation is defined for a dtype (bitwise and logical ones are for integers and
// bool only).
constexpr bool redop_applies(muster_redop redop, muster_dtype dtype) {
  constexpr uint32_t kArithmetic = (1u << MUSTER_BAND) - (1u << MUSTER_SUM);
  constexpr uint32_t kAll = (1u << MUSTER_REDOP_END) - (1u << MUSTER_SUM);
  return redop < MUSTER_REDOP_END && ((is_integer(dtype) ? kAll : kArithmetic) >> redop & 1u) != 0;
}

}  // namespace muster

#endif

/* The names of the vocabulary of types.h and status.h, as configuration, logs, the command and
 * plugins' options write them: static strings, "unknown" for a number outside the vocabulary.
 * Inline, so that plugins, which never link libmuster, have them too. Pure, any thread. */
#ifndef MUSTER_NAMES_H
#define MUSTER_NAMES_H

#include "muster/status.h"
#include "muster/types.h"

static inline const char* muster_op_name(muster_op op) {
  static const char* const names[MUSTER_OP_END] = {"none",
                                                   "all_reduce",
                                                   "reduce",
                                                   "reduce_scatter",
                                                   "reduce_scatterv",
                                                   "fused_all_reduce_rmsnorm",
                                                   "broadcast",
                                                   "all_gather",
                                                   "all_gatherv",
                                                   "gather",
                                                   "gatherv",
                                                   "scatter",
                                                   "scatterv",
                                                   "all_to_all",
                                                   "all_to_allv",
                                                   "send",
                                                   "recv",
                                                   "send_recv",
                                                   "barrier"};
  return op < MUSTER_OP_END ? names[op] : "unknown";
}

static inline const char* muster_dtype_name(muster_dtype dtype) {
  static const char* const names[MUSTER_DTYPE_END] = {
      "none", "i8",   "u8",  "i16",  "u16", "i32", "u32",    "i64",
      "u64",  "bool", "f16", "bf16", "f32", "f64", "f8e4m3", "f8e5m2"};
  return dtype < MUSTER_DTYPE_END ? names[dtype] : "unknown";
}

static inline const char* muster_redop_name(muster_redop redop) {
  static const char* const names[MUSTER_REDOP_END] = {"none", "sum", "prod", "min",  "max", "avg",
                                                      "band", "bor", "bxor", "land", "lor", "lxor"};
  return redop < MUSTER_REDOP_END ? names[redop] : "unknown";
}

static inline const char* muster_memory_name(muster_memory memory) {
  static const char* const names[MUSTER_MEMORY_END] = {
      "default", "host", "cuda", "hip", "level_zero", "gaudi", "ascend", "musa", "mlu"};
  return memory < MUSTER_MEMORY_END ? names[memory] : "unknown";
}

static inline const char* muster_phase_name(muster_phase phase) {
  static const char* const names[MUSTER_PHASE_END] = {"eager", "warmup", "capture", "piecewise"};
  return phase < MUSTER_PHASE_END ? names[phase] : "unknown";
}

static inline const char* muster_determinism_name(muster_determinism determinism) {
  static const char* const names[MUSTER_DETERMINISM_END] = {"none", "run_to_run", "rank_invariant",
                                                            "size_invariant"};
  return determinism < MUSTER_DETERMINISM_END ? names[determinism] : "unknown";
}

static inline const char* muster_stream_kind_name(muster_stream_kind kind) {
  static const char* const names[MUSTER_STREAM_KIND_END] = {"none",    "cuda", "hip",  "sycl",
                                                            "synapse", "acl",  "musa", "cnrt"};
  return kind < MUSTER_STREAM_KIND_END ? names[kind] : "unknown";
}

/* In capitals, as messages begin with them: "PEER_LOST". */
static inline const char* muster_code_name(muster_code code) {
  static const char* const names[MUSTER_CODE_END] = {"OK",
                                                     "INVALID_ARGUMENT",
                                                     "NOT_FOUND",
                                                     "UNIMPLEMENTED",
                                                     "UNAVAILABLE",
                                                     "PERMISSION_DENIED",
                                                     "FAILED_PRECONDITION",
                                                     "RESOURCE_EXHAUSTED",
                                                     "DEADLINE_EXCEEDED",
                                                     "PEER_LOST",
                                                     "ABORTED",
                                                     "MISMATCH",
                                                     "DATA_LOSS",
                                                     "OUT_OF_RANGE",
                                                     "INTERNAL"};
  return code < MUSTER_CODE_END ? names[code] : "UNKNOWN";
}

#endif

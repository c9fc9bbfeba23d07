#include "core/base/names.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace muster {
namespace {

constexpr std::array<std::string_view, MUSTER_OP_END> kOps = {"none",
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
constexpr std::array<std::string_view, MUSTER_DTYPE_END> kDtypes = {
    "none", "i8",   "u8",  "i16",  "u16", "i32", "u32",    "i64",
    "u64",  "bool", "f16", "bf16", "f32", "f64", "f8e4m3", "f8e5m2"};
constexpr std::array<std::string_view, MUSTER_REDOP_END> kRedops = {
    "none", "sum", "prod", "min", "max", "avg", "band", "bor", "bxor", "land", "lor", "lxor"};
constexpr std::array<std::string_view, MUSTER_MEMORY_END> kMemories = {
    "default", "host", "cuda", "hip", "level_zero", "gaudi", "ascend", "musa", "mlu"};
constexpr std::array<std::string_view, MUSTER_PHASE_END> kPhases = {"eager", "warmup", "capture",
                                                                    "piecewise"};
constexpr std::array<std::string_view, MUSTER_DETERMINISM_END> kDeterminism = {
    "none", "run_to_run", "rank_invariant", "size_invariant"};
constexpr std::array<std::string_view, MUSTER_STREAM_KIND_END> kStreams = {
    "none", "cuda", "hip", "sycl", "synapse", "acl", "musa", "cnrt"};

template <size_t N>
const char* name_in(const std::array<std::string_view, N>& names, uint32_t value) {
  return value < N ? names[value].data() : "unknown";
}

// The first `skip` entries are not values that anyone may write.
template <size_t N>
std::optional<uint32_t> find_in(const std::array<std::string_view, N>& names, std::string_view name,
                                size_t skip) {
  const auto found = std::find(names.begin() + skip, names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<uint32_t>(found - names.begin());
}

template <size_t N>
std::string list_of(const std::array<std::string_view, N>& names) {
  std::string text;
  for (size_t i = 1; i < N; ++i) text.append(i == 1 ? "" : ", ").append(names[i]);
  return text;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row.back();
}

}  // namespace

const char* op_name(muster_op op) { return name_in(kOps, op); }
const char* dtype_name(muster_dtype dtype) { return name_in(kDtypes, dtype); }
const char* redop_name(muster_redop redop) { return name_in(kRedops, redop); }
const char* memory_name(muster_memory memory) { return name_in(kMemories, memory); }
const char* phase_name(muster_phase phase) { return name_in(kPhases, phase); }
const char* determinism_name(muster_determinism determinism) {
  return name_in(kDeterminism, determinism);
}
const char* stream_kind_name(muster_stream_kind kind) { return name_in(kStreams, kind); }

std::optional<muster_op> op_from_name(std::string_view name) { return find_in(kOps, name, 1); }
std::optional<muster_dtype> dtype_from_name(std::string_view name) {
  return find_in(kDtypes, name, 1);
}
std::optional<muster_redop> redop_from_name(std::string_view name) {
  return find_in(kRedops, name, 1);
}
std::optional<muster_memory> memory_from_name(std::string_view name) {
  return find_in(kMemories, name, 1);
}
std::optional<muster_phase> phase_from_name(std::string_view name) {
  return find_in(kPhases, name, 0);
}
std::optional<muster_determinism> determinism_from_name(std::string_view name) {
  return find_in(kDeterminism, name, 0);
}

std::string all_op_names() { return list_of(kOps); }
std::string all_dtype_names() { return list_of(kDtypes); }
std::string all_redop_names() { return list_of(kRedops); }
std::string all_memory_names() { return list_of(kMemories); }

std::string_view nearest_name(std::string_view name, std::span<const std::string_view> candidates) {
  std::string_view best;
  size_t best_distance = std::max<size_t>(2, name.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace muster

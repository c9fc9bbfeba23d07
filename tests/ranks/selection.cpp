#include "tests/ranks/selection.hpp"

#include <algorithm>
#include <iterator>

#include "muster/muster.h"
#include "tests/ranks/values.hpp"

namespace muster::ranks {
namespace {

constexpr uint64_t kLargeBytes = 10'000'000;
constexpr uint64_t kSmall[] = {0, 1, 3, 17, 4095};

// Byte limits of the backend shm with its default options: reductions change their way at
// one_shot_bytes; longer calls go in chunks of chunk_bytes, of a rank's share of it, or of
// box_bytes, of which two are on their way.
std::vector<uint64_t> edge_bytes(muster_op op, uint32_t size) {
  constexpr uint64_t kOneShot = 32768;
  constexpr uint64_t kFusedOneShot = kOneShot / 4;
  constexpr uint64_t kChunk = 262144;
  constexpr uint64_t kBox = 32768;
  const uint64_t share = kChunk / size / 64 * 64;
  switch (op) {
    case MUSTER_ALL_REDUCE:
    case MUSTER_REDUCE:
      return {kOneShot, kChunk};
    case MUSTER_FUSED_ALL_REDUCE_RMSNORM:
      return {kFusedOneShot, kChunk};
    case MUSTER_BROADCAST:
    case MUSTER_ALL_GATHER:
    case MUSTER_ALL_GATHERV:
    case MUSTER_GATHER:
      return {kChunk, 2 * kChunk};
    case MUSTER_REDUCE_SCATTER:
    case MUSTER_REDUCE_SCATTERV:
    case MUSTER_SCATTER:
    case MUSTER_ALL_TO_ALL:
      return {share, 2 * share};
    case MUSTER_BARRIER:
      return {};
    default:
      return {kBox, 2 * kBox};
  }
}

std::vector<muster_op> all_ops(uint32_t size) {
  std::vector<muster_op> ops;
  for (muster_op op = MUSTER_ALL_REDUCE; op < MUSTER_OP_END; ++op) {
    if (op == MUSTER_RECV) continue;               // the other end of send
    if (op == MUSTER_SEND && size == 1) continue;  // refused outside a batch
    ops.push_back(op);
  }
  return ops;
}

bool can_be_in_place(muster_op op) { return !op_is_message(op) && op != MUSTER_BARRIER; }

template <typename T>
const T& pick(const std::vector<T>& values, uint64_t random) {
  return values[random % values.size()];
}

// Any dtype and reduce operation of an operation.
Case any_case(muster_op op, uint32_t size, uint64_t seed) {
  const muster_dtype dtype = pick(dtypes_of(op), mix(seed, 20u));
  return random_case(op, dtype, pick(redops_of(op, dtype), mix(seed, 21u)), size, seed);
}

// A quantised result has another dtype, so it cannot be in place.
void set_in_place(Case& c, bool in_place) {
  c.in_place = in_place;
  c.quantised = c.quantised && !in_place;
}

uint64_t clamp_rows(muster_op op, uint64_t count) {
  return op == MUSTER_FUSED_ALL_REDUCE_RMSNORM ? (count + kHidden - 1) / kHidden : count;
}

}  // namespace

std::vector<muster_dtype> dtypes_of(muster_op op) {
  if (op == MUSTER_BARRIER) return {MUSTER_DTYPE_NONE};
  if (op == MUSTER_FUSED_ALL_REDUCE_RMSNORM) return {MUSTER_F16, MUSTER_BF16, MUSTER_F32};
  std::vector<muster_dtype> dtypes;
  const muster_dtype end = op_reduces(op) ? MUSTER_F8E4M3 : MUSTER_DTYPE_END;
  for (muster_dtype dtype = MUSTER_I8; dtype < end; ++dtype) dtypes.push_back(dtype);
  return dtypes;
}

std::vector<muster_redop> redops_of(muster_op op, muster_dtype dtype) {
  if (!op_reduces(op)) return {MUSTER_REDOP_NONE};
  if (op == MUSTER_FUSED_ALL_REDUCE_RMSNORM) return {MUSTER_SUM};
  std::vector<muster_redop> redops;
  for (muster_redop redop = MUSTER_SUM; redop < MUSTER_REDOP_END; ++redop) {
    if (reduces(dtype, redop)) redops.push_back(redop);
  }
  return redops;
}

std::vector<uint64_t> edge_counts(muster_op op, muster_dtype dtype, uint32_t size) {
  std::vector<uint64_t> counts;
  for (const uint64_t bytes : edge_bytes(op, size)) {
    const uint64_t count = bytes / bytes_of(dtype);
    // The largest of a v-operation is its count: with all alike the edge is a rank's share of it.
    for (const uint64_t near : {count - 1, count, count + 1}) {
      counts.push_back(clamp_rows(op, near));
    }
  }
  std::sort(counts.begin(), counts.end());
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  return counts;
}

uint64_t count_of_bytes(muster_op op, muster_dtype dtype, uint32_t size, uint64_t bytes) {
  if (op == MUSTER_BARRIER) return 0;
  const uint64_t elements = bytes / bytes_of(dtype);
  switch (op) {
    case MUSTER_REDUCE_SCATTER:
    case MUSTER_REDUCE_SCATTERV:
    case MUSTER_ALL_GATHER:
    case MUSTER_ALL_GATHERV:
    case MUSTER_GATHER:
    case MUSTER_GATHERV:
    case MUSTER_SCATTER:
    case MUSTER_SCATTERV:
      return elements / (size + 1);
    case MUSTER_ALL_TO_ALL:
    case MUSTER_ALL_TO_ALLV:
      return elements / (size_t{2} * size);
    case MUSTER_FUSED_ALL_REDUCE_RMSNORM:
      return elements / 4 / kHidden;
    default:
      return elements / 2;
  }
}

Case random_case(muster_op op, muster_dtype dtype, muster_redop redop, uint32_t size,
                 uint64_t seed) {
  const auto random = [&](uint64_t which) { return mix(seed, 30u, which); };
  Case c;
  c.op = op;
  c.dtype = dtype;
  c.redop = redop;
  c.seed = seed;
  const uint64_t small = random(0) % (std::size(kSmall) + 3);
  c.count = small < std::size(kSmall) ? kSmall[small] : random(1) % 3000;
  if (op == MUSTER_FUSED_ALL_REDUCE_RMSNORM) c.count %= 40;
  if (op == MUSTER_BARRIER) c.count = 0;
  c.root = static_cast<uint32_t>(random(2) % size);
  c.in_place = can_be_in_place(op) && random(3) % 2 == 0;
  c.gaps = op_has_vectors(op) && op != MUSTER_REDUCE_SCATTERV && random(4) % 2 == 0;
  const bool fused = op == MUSTER_FUSED_ALL_REDUCE_RMSNORM;
  c.special = redop != MUSTER_REDOP_NONE && is_float(dtype) && !fused && random(5) % 4 == 0;
  c.scalar = redop == MUSTER_SUM && dtype != MUSTER_BOOL && random(6) % 4 == 0;
  c.quantised = fused && !c.in_place && random(8) % 2 == 0;
  c.mode = static_cast<Mode>(random(7) % static_cast<uint64_t>(Mode::kEnd));
  return c;
}

std::vector<Case> pairwise_cases(uint32_t size, uint64_t seed) {
  std::vector<Case> cases;
  uint64_t next = seed;
  const auto fresh = [&] { return next = mix(next); };
  for (const muster_op op : all_ops(size)) {
    for (const muster_dtype dtype : dtypes_of(op)) {
      for (const muster_redop redop : redops_of(op, dtype)) {
        cases.push_back(random_case(op, dtype, redop, size, fresh()));
        if (op != MUSTER_FUSED_ALL_REDUCE_RMSNORM) continue;
        cases.push_back(random_case(op, dtype, redop, size, fresh()));
        set_in_place(cases.back(), false);
        cases.back().quantised = true;
      }
    }
    for (uint64_t mode = 0; mode < static_cast<uint64_t>(Mode::kEnd); ++mode) {
      cases.push_back(any_case(op, size, fresh()));
      cases.back().mode = static_cast<Mode>(mode);
    }
    for (const bool in_place : {false, true}) {
      if (in_place && !can_be_in_place(op)) continue;
      const size_t edges = edge_counts(op, MUSTER_U8, size).size();
      for (size_t i = 0; i < edges; ++i) {
        Case c = any_case(op, size, fresh());
        const std::vector<uint64_t> counts = edge_counts(op, c.dtype, size);
        c.count = counts[std::min(i, counts.size() - 1)];
        set_in_place(c, in_place);
        cases.push_back(c);
      }
      for (const uint64_t small : kSmall) {
        Case c = any_case(op, size, fresh());
        c.count = op == MUSTER_BARRIER ? 0 : clamp_rows(op, small);
        set_in_place(c, in_place);
        cases.push_back(c);
      }
    }
    Case large = any_case(op, size, fresh());
    large.count = count_of_bytes(op, large.dtype, size, kLargeBytes);
    cases.push_back(large);
  }
  return cases;
}

std::vector<Case> all_cases(uint32_t size, uint64_t seed) {
  std::vector<Case> cases;
  uint64_t next = seed;
  const auto add = [&](muster_op op, muster_dtype dtype, muster_redop redop, bool in_place,
                       uint64_t count) {
    next = mix(next);
    cases.push_back(random_case(op, dtype, redop, size, next));
    set_in_place(cases.back(), in_place);
    cases.back().count = count;
  };
  for (const muster_op op : all_ops(size)) {
    for (const muster_dtype dtype : dtypes_of(op)) {
      for (const muster_redop redop : redops_of(op, dtype)) {
        std::vector<uint64_t> counts(std::begin(kSmall), std::end(kSmall));
        for (uint64_t& count : counts) count = clamp_rows(op, count);
        const std::vector<uint64_t> edges = edge_counts(op, dtype, size);
        counts.insert(counts.end(), edges.begin(), edges.end());
        if (op == MUSTER_BARRIER) counts.assign(1, 0);
        for (const bool in_place : {false, true}) {
          if (in_place && !can_be_in_place(op)) continue;
          for (const uint64_t count : counts) add(op, dtype, redop, in_place, count);
        }
        const bool in_place = can_be_in_place(op) && mix(next, 22u) % 2 == 0;
        add(op, dtype, redop, in_place, count_of_bytes(op, dtype, size, kLargeBytes));
      }
    }
  }
  return cases;
}

void place_in_shared_memory(std::vector<Case>& cases) {
  constexpr uint64_t kPlaces = static_cast<uint64_t>(Place::kEnd) - 1;  // without ordinary
  // All buffers in shared memory as often as anything else together.
  for (Case& c : cases) {
    const uint64_t random = mix(c.seed, 33u);
    c.place = random % 2 == 0 ? Place::kShared : static_cast<Place>(1 + random / 2 % kPlaces);
  }
}

}  // namespace muster::ranks

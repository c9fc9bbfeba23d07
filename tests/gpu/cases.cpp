#include "tests/gpu/cases.hpp"

#include "muster/names.h"
#include "tests/ranks/selection.hpp"
#include "tests/ranks/values.hpp"

namespace muster::gpu {
namespace {

using ranks::Case;
using ranks::mix;

std::vector<muster_op> device_ops() {
  std::vector<muster_op> ops;
  for (muster_op op = MUSTER_ALL_REDUCE; op < MUSTER_OP_END; ++op) {
    // Not on devices; the other end of send.
    if (op == MUSTER_BARRIER || op == MUSTER_FUSED_ALL_REDUCE_RMSNORM || op == MUSTER_RECV)
      continue;
    ops.push_back(op);
  }
  return ops;
}

// What is random in a case of the host, as far as devices keep it.
DeviceCase case_for(muster_op op, muster_dtype dtype, muster_redop redop, uint32_t size,
                    uint64_t seed) {
  DeviceCase made;
  made.call = ranks::random_case(op, dtype, redop, size, seed);
  made.call.stepwise = true;
  // NCCL loses NaN in these.
  if (redop == MUSTER_MIN || redop == MUSTER_MAX) made.call.special = false;
  made.way = static_cast<Way>(mix(seed, 40u) % static_cast<uint64_t>(Way::kEnd));
  return made;
}

// In place it goes through scratch memory, which graphs do not keep.
void settle(DeviceCase& c) {
  const bool exchange = c.call.op == MUSTER_ALL_TO_ALL || c.call.op == MUSTER_ALL_TO_ALLV;
  if (exchange && c.way == Way::kGraph) c.call.in_place = false;
}

}  // namespace

const char* way_name(Way way) {
  constexpr const char* kNames[] = {"stream", "host", "plan", "batch", "graph"};
  return kNames[static_cast<size_t>(way)];
}

std::string text_of(const DeviceCase& c) {
  return std::string(way_name(c.way)) + " " + ranks::text_of(c.call);
}

bool nccl_has(muster_op op, muster_dtype dtype, muster_redop redop) {
  if (!ranks::op_reduces(op)) return true;
  switch (dtype) {
    case MUSTER_I16:
    case MUSTER_U16:
      return false;
    case MUSTER_BOOL:
      return redop == MUSTER_MIN || redop == MUSTER_MAX || redop == MUSTER_BAND ||
             redop == MUSTER_BOR || redop == MUSTER_LAND || redop == MUSTER_LOR;
    default:
      return redop >= MUSTER_SUM && redop <= MUSTER_AVG;
  }
}

std::vector<DeviceCase> nccl_cases(uint32_t size, uint64_t seed,
                                   const std::vector<uint64_t>& bytes) {
  std::vector<DeviceCase> cases;
  uint64_t next = seed;
  const auto add = [&](muster_op op, muster_dtype dtype, muster_redop redop) -> DeviceCase& {
    next = mix(next);
    return cases.emplace_back(case_for(op, dtype, redop, size, next));
  };
  for (const muster_op op : device_ops()) {
    std::vector<std::pair<muster_dtype, muster_redop>> kinds;
    for (const muster_dtype dtype : ranks::dtypes_of(op)) {
      for (const muster_redop redop : ranks::redops_of(op, dtype)) {
        if (nccl_has(op, dtype, redop)) kinds.emplace_back(dtype, redop);
      }
    }
    for (const auto& [dtype, redop] : kinds) add(op, dtype, redop);
    const auto any = [&]() -> DeviceCase& {
      const auto& [dtype, redop] = kinds[mix(next, 41u) % kinds.size()];
      return add(op, dtype, redop);
    };
    const bool message = ranks::op_is_message(op);
    for (uint32_t way = 0; way < static_cast<uint32_t>(Way::kEnd); ++way) {
      for (const bool in_place : {false, true}) {
        DeviceCase& c = any();
        c.way = static_cast<Way>(way);
        c.call.in_place = in_place && !message;
      }
    }
    for (const uint64_t amount : bytes) {
      DeviceCase& c = any();
      c.call.count = ranks::count_of_bytes(op, c.call.dtype, size, amount);
    }
  }
  for (DeviceCase& c : cases) settle(c);
  return cases;
}

std::vector<DeviceCase> staged_cases(uint32_t size, uint64_t seed, uint64_t largest) {
  std::vector<DeviceCase> cases;
  for (const muster_op op : device_ops()) {
    for (const muster_dtype dtype : ranks::dtypes_of(op)) {
      for (const muster_redop redop : ranks::redops_of(op, dtype)) {
        seed = mix(seed);
        DeviceCase c{ranks::random_case(op, dtype, redop, size, seed), Way::kStream};
        // A graph holds nothing that the host does.
        c.way = static_cast<Way>(mix(seed, 40u) % static_cast<uint64_t>(Way::kGraph));
        if (mix(seed, 41u) % 8 == 0) c.call.count = ranks::count_of_bytes(op, dtype, size, largest);
        cases.push_back(c);
      }
    }
  }
  return cases;
}

std::vector<DeviceCase> self_cases(uint64_t seed, uint64_t largest) {
  std::vector<DeviceCase> cases;
  for (DeviceCase& c : staged_cases(1, seed, largest)) {
    const bool no_copy = c.call.redop >= MUSTER_LAND || c.call.scalar;
    if (no_copy || ranks::op_is_message(c.call.op)) continue;
    cases.push_back(c);
    c.way = Way::kGraph;
    cases.push_back(c);
  }
  return cases;
}

}  // namespace muster::gpu

#include "muster/testing/collective.hpp"

#include <algorithm>
#include <cstring>

#include "muster/names.h"
#include "muster/plugin.hpp"

namespace muster::testing {
namespace {

const char* at(const void* base, uint64_t offset) {
  return static_cast<const char*>(base) + offset;
}

uint64_t place_of(const uint64_t* counts, const uint64_t* displs, uint32_t rank) {
  if (displs != nullptr) return displs[rank];
  uint64_t offset = 0;
  for (uint32_t r = 0; r < rank; ++r) offset += counts[r];
  return offset;
}

template <typename Function>
Function kernel_of(const KernelLookup& kernels, const char* family, muster_dtype dtype,
                   muster_redop redop) {
  const muster_kernel_function found = kernels(family, dtype, redop);
  if (found == nullptr) {
    plugin::fail(MUSTER_UNIMPLEMENTED,
                 std::string("there is no kernel ") + family + " for " + muster_dtype_name(dtype) +
                     " " + muster_redop_name(redop),
                 "give execute an action of the test's own");
  }
  return reinterpret_cast<Function>(found);
}

// The reduction of `count` elements that begin at `first` of every rank's send.
std::vector<char> reduced(const std::vector<const muster_call*>& calls, uint64_t first,
                          uint64_t count, const KernelLookup& kernels) {
  const muster_call& call = *calls[0];
  const uint64_t element = MUSTER_DTYPE_BYTES(call.dtype);
  std::vector<char> out(count * element);
  if (count == 0) return out;
  std::vector<const void*> sources;
  for (const muster_call* other : calls) sources.push_back(at(other->send, first * element));
  const auto kernel =
      kernel_of<muster_host_reduce>(kernels, "host_reduce/1", call.dtype, call.redop);
  kernel(out.data(), sources.data(), static_cast<uint32_t>(sources.size()), count, call.scalar,
         call.redop == MUSTER_AVG ? sources.size() : 1);
  return out;
}

std::vector<char> fused(const std::vector<const muster_call*>& calls, const muster_call& call,
                        const KernelLookup& kernels) {
  const muster_fused_rmsnorm& f = *call.fused;
  const std::vector<char> sum = reduced(calls, 0, call.count, kernels);
  std::vector<char> out(call.count * (f.quant_group == 0 ? MUSTER_DTYPE_BYTES(call.dtype) : 1));
  const uint64_t rows = call.count / f.hidden;
  if (rows == 0) return out;
  if (f.quant_group == 0) {
    kernel_of<muster_host_rmsnorm>(kernels, "host_rmsnorm/1", call.dtype, MUSTER_REDOP_NONE)(
        out.data(), f.residual_out, sum.data(), f.residual, f.weight, rows, f.hidden, f.epsilon);
  } else {
    kernel_of<muster_host_rmsnorm_quant>(kernels, "host_rmsnorm_quant/1", call.dtype,
                                         MUSTER_REDOP_NONE)(
        reinterpret_cast<uint8_t*>(out.data()), f.scale_out, f.residual_out, sum.data(), f.residual,
        f.weight, rows, f.hidden, f.quant_group, f.epsilon);
  }
  return out;
}

bool counts_alike(muster_op op) {
  return op != MUSTER_GATHERV && op != MUSTER_SCATTERV && op != MUSTER_ALL_TO_ALLV &&
         op != MUSTER_ALL_GATHERV && op != MUSTER_REDUCE_SCATTERV && op != MUSTER_BARRIER;
}

// "rank 1 has X where rank 0 has Y"; "" for two that are alike.
template <typename Value>
std::string differs(uint32_t rank, const char* what, const Value& own, const Value& first) {
  if (own == first) return {};
  return "rank " + std::to_string(rank) + " has " + what + " " + own + " where rank 0 has " + first;
}

// What rank `from` sends to rank `to`, held against what that one takes.
std::string unequal(uint32_t from, uint64_t sent, uint32_t to, uint64_t taken) {
  if (sent == taken) return {};
  return "rank " + std::to_string(from) + " sends " + std::to_string(sent) + " elements to rank " +
         std::to_string(to) + ", which takes " + std::to_string(taken);
}

std::string disagreement_of_vectors(const std::vector<const muster_call*>& calls) {
  const muster_call& first = *calls[0];
  const auto size = static_cast<uint32_t>(calls.size());
  std::string found;
  for (uint32_t r = 0; r < size; ++r) {
    const muster_call& call = *calls[r];
    switch (first.op) {
      case MUSTER_GATHERV:
        found = unequal(r, call.count, call.root, calls[call.root]->recv_counts[r]);
        break;
      case MUSTER_SCATTERV:
        found = unequal(call.root, calls[call.root]->send_counts[r], r, call.count);
        break;
      case MUSTER_ALL_GATHERV:
      case MUSTER_REDUCE_SCATTERV:
        if (!std::equal(call.recv_counts, call.recv_counts + size, first.recv_counts)) {
          found = "rank " + std::to_string(r) + " has other recv_counts than rank 0";
        }
        break;
      case MUSTER_ALL_TO_ALLV:
        for (uint32_t to = 0; to < size && found.empty(); ++to) {
          found = unequal(r, call.send_counts[to], to, calls[to]->recv_counts[r]);
        }
        break;
      default:
        break;
    }
    if (!found.empty()) return found;
  }
  return {};
}

}  // namespace

std::string disagreement_of(const std::vector<const muster_call*>& calls) {
  const muster_call& first = *calls[0];
  for (uint32_t r = 1; r < calls.size(); ++r) {
    const muster_call& call = *calls[r];
    const auto names = [&](const char* what, const char* own, const char* other) {
      return differs<std::string>(r, what, own, other);
    };
    const auto numbers = [&](const char* what, uint64_t own, uint64_t other) {
      return differs(r, what, std::to_string(own), std::to_string(other));
    };
    for (const std::string& found :
         {names("operation", muster_op_name(call.op), muster_op_name(first.op)),
          names("dtype", muster_dtype_name(call.dtype), muster_dtype_name(first.dtype)),
          names("reduce operation", muster_redop_name(call.redop), muster_redop_name(first.redop)),
          numbers("root", call.root, first.root),
          counts_alike(first.op) ? numbers("count", call.count, first.count) : std::string()}) {
      if (!found.empty()) return found;
    }
  }
  return disagreement_of_vectors(calls);
}

std::vector<Piece> result_of(const std::vector<const muster_call*>& calls, uint32_t rank,
                             const KernelLookup& kernels) {
  const muster_call& call = *calls[rank];
  const uint64_t element = MUSTER_DTYPE_BYTES(call.dtype);
  const uint64_t part = call.count * element;
  const bool is_root = call.root == rank;
  const auto size = static_cast<uint32_t>(calls.size());
  std::vector<Piece> pieces;
  // `bytes` of a rank's send, to an offset of this rank's recv.
  const auto take = [&](uint32_t from, uint64_t send_offset, uint64_t bytes, uint64_t offset) {
    if (bytes == 0) return;
    const char* const source = at(calls[from]->send, send_offset);
    pieces.push_back({offset, std::vector<char>(source, source + bytes)});
  };
  const auto give = [&](std::vector<char> bytes) {
    if (!bytes.empty()) pieces.push_back({0, std::move(bytes)});
  };
  switch (call.op) {
    case MUSTER_ALL_REDUCE:
      give(reduced(calls, 0, call.count, kernels));
      break;
    case MUSTER_FUSED_ALL_REDUCE_RMSNORM:
      give(fused(calls, call, kernels));
      break;
    case MUSTER_REDUCE:
      if (is_root) give(reduced(calls, 0, call.count, kernels));
      break;
    case MUSTER_REDUCE_SCATTER:
      give(reduced(calls, rank * call.count, call.count, kernels));
      break;
    case MUSTER_REDUCE_SCATTERV:
      give(reduced(calls, place_of(call.recv_counts, nullptr, rank), call.recv_counts[rank],
                   kernels));
      break;
    case MUSTER_BROADCAST:
      take(call.root, 0, part, 0);
      break;
    case MUSTER_ALL_GATHER:
    case MUSTER_GATHER:
      for (uint32_t r = 0; r < size; ++r) {
        if (call.op == MUSTER_ALL_GATHER || is_root) take(r, 0, part, r * part);
      }
      break;
    case MUSTER_ALL_GATHERV:
    case MUSTER_GATHERV:
      for (uint32_t r = 0; r < size; ++r) {
        if (call.op == MUSTER_GATHERV && !is_root) break;
        take(r, 0, call.recv_counts[r] * element,
             place_of(call.recv_counts, call.recv_displs, r) * element);
      }
      break;
    case MUSTER_SCATTER:
      take(call.root, rank * part, part, 0);
      break;
    case MUSTER_SCATTERV: {
      const muster_call& root = *calls[call.root];
      take(call.root, place_of(root.send_counts, root.send_displs, rank) * element, part, 0);
      break;
    }
    case MUSTER_ALL_TO_ALL:
      for (uint32_t r = 0; r < size; ++r) take(r, rank * part, part, r * part);
      break;
    case MUSTER_ALL_TO_ALLV:
      for (uint32_t r = 0; r < size; ++r) {
        take(r, place_of(calls[r]->send_counts, calls[r]->send_displs, rank) * element,
             call.recv_counts[r] * element,
             place_of(call.recv_counts, call.recv_displs, r) * element);
      }
      break;
    case MUSTER_RECV:
      take(call.peer, 0, part, 0);
      break;
    case MUSTER_SEND_RECV:
      take(call.recv_peer, 0, call.recv_count * element, 0);
      break;
    default:
      break;
  }
  return pieces;
}

void write_pieces(void* recv, const std::vector<Piece>& pieces) {
  for (const Piece& piece : pieces)
    std::memcpy(static_cast<char*>(recv) + piece.offset, piece.bytes.data(), piece.bytes.size());
}

}  // namespace muster::testing

#include "tests/unit/compose/thread_backend.hpp"

#include <cstring>

#include "core/base/names.hpp"
#include "core/kernels/registry.hpp"

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

// The reduction of `count` elements that begin at `first` of every rank's send.
std::vector<char> reduced(const std::vector<const muster_call*>& calls, uint64_t first,
                          uint64_t count) {
  const muster_call& call = *calls[0];
  const uint64_t element = dtype_size(call.dtype);
  std::vector<char> out(count * element);
  if (count == 0) return out;
  std::vector<const void*> sources;
  for (const muster_call* other : calls) sources.push_back(at(other->send, first * element));
  host_reduce(call.dtype, call.redop)(out.data(), sources.data(),
                                      static_cast<uint32_t>(sources.size()), count, call.scalar,
                                      call.redop == MUSTER_AVG ? sources.size() : 1);
  return out;
}

std::vector<char> fused(const std::vector<const muster_call*>& calls, const muster_call& call) {
  const muster_fused_rmsnorm& f = *call.fused;
  const std::vector<char> sum = reduced(calls, 0, call.count);
  std::vector<char> out(call.count * (f.quant_group == 0 ? dtype_size(call.dtype) : 1));
  const uint64_t rows = call.count / f.hidden;
  if (rows == 0) return out;
  if (f.quant_group == 0) {
    host_rmsnorm(call.dtype)(out.data(), f.residual_out, sum.data(), f.residual, f.weight, rows,
                             f.hidden, f.epsilon);
  } else {
    host_rmsnorm_quant(call.dtype)(reinterpret_cast<uint8_t*>(out.data()), f.scale_out,
                                   f.residual_out, sum.data(), f.residual, f.weight, rows, f.hidden,
                                   f.quant_group, f.epsilon);
  }
  return out;
}

}  // namespace

std::vector<Piece> result_of(const std::vector<const muster_call*>& calls, uint32_t rank) {
  const muster_call& call = *calls[rank];
  const uint64_t element = dtype_size(call.dtype);
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
      give(reduced(calls, 0, call.count));
      break;
    case MUSTER_FUSED_ALL_REDUCE_RMSNORM:
      give(fused(calls, call));
      break;
    case MUSTER_REDUCE:
      if (is_root) give(reduced(calls, 0, call.count));
      break;
    case MUSTER_REDUCE_SCATTER:
      give(reduced(calls, rank * call.count, call.count));
      break;
    case MUSTER_REDUCE_SCATTERV:
      give(reduced(calls, place_of(call.recv_counts, nullptr, rank), call.recv_counts[rank]));
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

ThreadBackend::ThreadBackend(const std::string& id, std::vector<muster_rule> rules,
                             int32_t priority)
    : mock_(id, priority) {
  using ::testing::_;
  ON_CALL(mock_, offer).WillByDefault([rules = std::move(rules)](plugin::Query query) {
    for (const muster_rule& rule : rules) query.add(rule);
  });
  ON_CALL(mock_, execute).WillByDefault([this](MockGroup& group, const muster_call& call) {
    execute(group, call);
  });
}

std::vector<muster_op> ThreadBackend::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

void ThreadBackend::forget() {
  const std::lock_guard lock(mutex_);
  seen_.clear();
}

void ThreadBackend::Board::meet() {
  std::unique_lock lock(mutex);
  const uint64_t mine = round;
  if (++arrived == calls.size()) {
    arrived = 0;
    ++round;
    changed.notify_all();
  } else {
    changed.wait(lock, [&] { return round != mine; });
  }
}

ThreadBackend::Board& ThreadBackend::board_of(MockGroup& group) {
  const std::lock_guard lock(mutex_);
  Board& board = boards_[group.runtime().info().tag];
  if (board.calls.empty()) board.calls.resize(group.size());
  return board;
}

void ThreadBackend::execute(MockGroup& group, const muster_call& call) {
  if (group.rank() == 0) {
    const std::lock_guard lock(mutex_);
    seen_.push_back(call.op);
  }
  Board& board = board_of(group);
  board.calls[group.rank()] = &call;
  board.meet();
  const std::vector<Piece> pieces = result_of(board.calls, group.rank());
  board.meet();
  write_pieces(call.recv, pieces);
  board.meet();
}

}  // namespace muster::testing

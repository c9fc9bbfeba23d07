#include "tests/unit/compose/operands.hpp"

#include <memory>

#include "core/agree/test_values.hpp"
#include "core/base/names.hpp"
#include "tests/unit/compose/thread_backend.hpp"

namespace muster::testing {
namespace {

constexpr uint64_t kGap = 2;

// How many elements a rank gives to another in the v-operations; some nothing.
uint64_t count_of(uint64_t count, uint32_t from, uint32_t to) {
  return count == 0 ? 0 : (3 * from + 5 * to + count) % (count + 2);
}

std::vector<uint64_t> reversed(const std::vector<uint64_t>& counts) {
  std::vector<uint64_t> displs(counts.size());
  uint64_t next = kGap;
  for (size_t r = counts.size(); r-- > 0;) {
    displs[r] = next;
    next += counts[r] + kGap;
  }
  return displs;
}

uint64_t offset_of(const std::vector<uint64_t>& counts, const uint64_t* displs, uint32_t rank) {
  if (displs != nullptr) return displs[rank];
  uint64_t offset = 0;
  for (uint32_t r = 0; r < rank; ++r) offset += counts[r];
  return offset;
}

}  // namespace

Operands::Operands(const Shape& shape, uint32_t rank, uint32_t size) : rank_(rank), size_(size) {
  call_.struct_size = MUSTER_CALL_SIZE;
  call_.op = shape.op;
  call_.dtype = shape.op == MUSTER_BARRIER ? muster_dtype{MUSTER_DTYPE_NONE} : shape.dtype;
  call_.redop = op_reduces(shape.op) ? shape.redop : muster_redop{MUSTER_REDOP_NONE};
  call_.count = shape.count;
  call_.root = shape.root;
  call_.peer = (rank + 1) % size;
  call_.recv_peer = (rank + size - 1) % size;
  call_.recv_count = shape.count;
  if (shape.op == MUSTER_RECV) call_.peer = call_.recv_peer;
  lay_out(shape);
  place(shape);
}

void Operands::lay_out(const Shape& shape) {
  const auto per_rank = [&](auto count) {
    std::vector<uint64_t> counts(size_);
    for (uint32_t r = 0; r < size_; ++r) counts[r] = count(r);
    return counts;
  };
  switch (shape.op) {
    case MUSTER_ALL_GATHERV:
    case MUSTER_REDUCE_SCATTERV:
    case MUSTER_GATHERV:
      recv_counts_ = per_rank([&](uint32_t r) { return count_of(shape.count, r, 0); });
      call_.count = recv_counts_[rank_];
      break;
    case MUSTER_SCATTERV:
      send_counts_ = per_rank([&](uint32_t r) { return count_of(shape.count, r, 0); });
      call_.count = send_counts_[rank_];
      break;
    case MUSTER_ALL_TO_ALLV:
      // In place the two sides have one layout.
      send_counts_ = per_rank([&](uint32_t r) {
        return shape.in_place ? shape.count : count_of(shape.count, rank_, r);
      });
      recv_counts_ = per_rank([&](uint32_t r) {
        return shape.in_place ? shape.count : count_of(shape.count, r, rank_);
      });
      break;
    default:
      break;
  }
  if (shape.displaced) {
    if (!send_counts_.empty()) send_displs_ = reversed(send_counts_);
    if (!recv_counts_.empty() && shape.op != MUSTER_REDUCE_SCATTERV)
      recv_displs_ = reversed(recv_counts_);
  }
  const auto pointer = [](const std::vector<uint64_t>& values) {
    return values.empty() ? nullptr : values.data();
  };
  // What is read on the root only is rubbish elsewhere.
  static const uint64_t* const kRubbish = reinterpret_cast<const uint64_t*>(uintptr_t{8});
  const bool hidden =
      (shape.op == MUSTER_GATHERV || shape.op == MUSTER_SCATTERV) && shape.root != rank_;
  call_.send_counts = hidden ? kRubbish : pointer(send_counts_);
  call_.send_displs = hidden ? kRubbish : pointer(send_displs_);
  call_.recv_counts = hidden ? kRubbish : pointer(recv_counts_);
  call_.recv_displs = hidden ? kRubbish : pointer(recv_displs_);
}

void Operands::place(const Shape& shape) {
  if (call_.dtype == MUSTER_DTYPE_NONE) return;
  const uint64_t element = dtype_size(shape.dtype);
  const uint64_t area = (shape.count + 2 + kGap) * (size_ + 1) * element;
  bytes_.assign(2 * area, '\x5a');
  const uint64_t elements = area / element;
  for (uint64_t i = 0; i < 2 * elements; ++i) {
    // Small enough that sums are exact in every dtype, different enough for moves.
    const uint64_t range = op_reduces(shape.op) ? 3 : 100;
    store_value(shape.dtype, bytes_.data(), i,
                1 + static_cast<int64_t>((i * 7 + rank_ * 31 + i / 5) % range));
  }
  char* const send = bytes_.data();
  char* const recv = bytes_.data() + area;
  call_.send = send;
  call_.recv = recv;
  if (!shape.in_place || (op_is_rooted(shape.op) && shape.root != rank_)) return;
  const uint64_t mine = rank_ * shape.count * element;
  switch (shape.op) {
    case MUSTER_ALL_GATHER:
    case MUSTER_GATHER:
      call_.send = recv + mine;
      break;
    case MUSTER_REDUCE_SCATTER:
    case MUSTER_SCATTER:
      call_.recv = send + mine;
      break;
    case MUSTER_ALL_GATHERV:
    case MUSTER_GATHERV:
      call_.send = recv + offset_of(recv_counts_, call_.recv_displs, rank_) * element;
      break;
    case MUSTER_REDUCE_SCATTERV:
      call_.recv = send + offset_of(recv_counts_, nullptr, rank_) * element;
      break;
    case MUSTER_SCATTERV:
      call_.recv = send + offset_of(send_counts_, call_.send_displs, rank_) * element;
      break;
    default:
      call_.recv = send;
      break;
  }
}

std::vector<char> Operands::expected(const Shape& shape, uint32_t rank, uint32_t size) {
  std::vector<std::unique_ptr<Operands>> all;
  std::vector<const muster_call*> calls;
  for (uint32_t r = 0; r < size; ++r) {
    all.push_back(std::make_unique<Operands>(shape, r, size));
    calls.push_back(&all.back()->call());
  }
  Operands& mine = *all[rank];
  const std::vector<Piece> pieces = result_of(calls, rank);
  write_pieces(mine.call_.recv, pieces);
  return mine.bytes_;
}

}  // namespace muster::testing

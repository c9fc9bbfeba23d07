#include "core/agree/exercise.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/agree/test_values.hpp"
#include "core/base/names.hpp"
#include "core/dispatch/prepare.hpp"

namespace muster {

Exercise::Exercise(muster_op op, muster_dtype dtype, muster_redop redop, uint64_t count,
                   uint32_t rank, uint32_t size, bool quantised)
    : rank_(rank), size_(size), counts_(size, count) {
  const uint64_t element = dtype_size(dtype);
  send_.resize(count * size * element);
  recv_.resize(count * size * element);
  call_.struct_size = MUSTER_CALL_SIZE;
  call_.op = op;
  call_.dtype = op == MUSTER_BARRIER ? muster_dtype{MUSTER_DTYPE_NONE} : dtype;
  call_.redop = op_reduces(op) ? redop : muster_redop{MUSTER_REDOP_NONE};
  call_.count = count;
  call_.send_memory = call_.recv_memory = MUSTER_HOST;
  call_.send = send_.data();
  call_.recv = recv_.data();
  call_.send_counts = call_.recv_counts = counts_.data();
  call_.peer = (rank + 1) % size;
  call_.recv_peer = (rank + size - 1) % size;
  call_.recv_count = count;
  call_.max_bytes = count * element;
  call_.selection_bytes = op_is_point_to_point(op) ? kUnsized : bytes();
  if (op != MUSTER_FUSED_ALL_REDUCE_RMSNORM) return;
  fused_ = std::make_unique<FusedExercise>(dtype, count, quantised);
  call_.fused = fused_->operands();
  if (!quantised) return;
  call_.recv_dtype = MUSTER_F8E4M3;
  call_.flags = MUSTER_CALL_QUANTISED;
}

Exercise Exercise::routed(muster_dtype dtype, const std::vector<uint64_t>& elements, uint32_t rank,
                          uint32_t size) {
  Exercise exercise(MUSTER_ALL_TO_ALLV, dtype, MUSTER_REDOP_NONE, 0, rank, size);
  uint64_t arrived = 0;
  uint64_t most = 0;
  for (uint32_t from = 0; from < size; ++from) {
    const uint64_t* const row = elements.data() + uint64_t{from} * size;
    exercise.source_offset_.push_back(std::accumulate(row, row + rank, uint64_t{0}));
    exercise.arriving_.push_back(row[rank]);
    arrived += row[rank];
    exercise.arrival_end_.push_back(arrived);
    most = std::max(most, std::accumulate(row, row + size, uint64_t{0}));
  }
  const uint64_t* const mine = elements.data() + uint64_t{rank} * size;
  exercise.counts_.assign(mine, mine + size);
  const uint64_t element = dtype_size(dtype);
  exercise.send_.resize(std::accumulate(mine, mine + size, uint64_t{0}) * element);
  exercise.recv_.resize(arrived * element);
  muster_call& call = exercise.call_;
  call.send = exercise.send_.data();
  call.recv = exercise.recv_.data();
  call.send_counts = exercise.counts_.data();
  call.recv_counts = exercise.arriving_.data();
  call.max_bytes = call.selection_bytes = most * element;
  return exercise;
}

bool Exercise::is_exact(muster_op op, muster_dtype dtype, muster_redop redop, uint32_t size) {
  if (!op_reduces(op)) return true;
  if (dtype == MUSTER_BOOL && (redop == MUSTER_SUM || redop == MUSTER_PROD || redop == MUSTER_AVG))
    return false;
  if (is_integer(dtype)) return true;
  if (dtype == MUSTER_F8E4M3 || dtype == MUSTER_F8E5M2) return false;  // too few bits for sums
  if (redop == MUSTER_PROD) return size <= 12;                         // 2^6
  return size <= 80;  // 3*80 is within bf16's 8 bits
}

Exercise::Buffers Exercise::buffers() {
  Buffers all = {{send_.data(), send_.size()}, {recv_.data(), recv_.size()}};
  if (fused_ != nullptr) fused_->add_buffers(all);
  return all;
}

uint64_t Exercise::selection_bytes(muster_op op, muster_dtype dtype, uint64_t count,
                                   uint32_t size) {
  const bool whole_vector = op == MUSTER_ALL_GATHERV || op == MUSTER_REDUCE_SCATTERV;
  return count * dtype_size(dtype) * (whole_vector ? size : 1);
}

uint64_t Exercise::bytes() const {
  if (!arriving_.empty()) return call_.max_bytes;
  return selection_bytes(call_.op, call_.dtype, call_.count, size_);
}

int64_t Exercise::value(uint32_t rank, uint64_t index) const {
  const uint64_t mixed = (index + round_) * 0x9E3779B97F4A7C15ull >> 33;
  if (call_.redop == MUSTER_PROD) return 1 + static_cast<int64_t>((rank + mixed) % 2);
  return 1 + static_cast<int64_t>((rank + mixed) % 3);
}

void Exercise::fill(uint64_t round) {
  round_ = round;
  std::fill(recv_.begin(), recv_.end(), '\x5a');
  const uint64_t element = dtype_size(call_.dtype);
  const uint64_t elements = element == 0 ? 0 : send_.size() / element;
  for (uint64_t i = 0; i < elements; ++i)
    store_value(call_.dtype, send_.data(), i, value(rank_, i));
  if (fused_ != nullptr) fused_->fill(round);
}

uint64_t Exercise::results() const {
  if (!arriving_.empty()) return arrival_end_.back();
  switch (call_.op) {
    case MUSTER_BARRIER:
    case MUSTER_SEND:
      return 0;
    case MUSTER_ALL_REDUCE:
    case MUSTER_BROADCAST:
    case MUSTER_REDUCE_SCATTER:
    case MUSTER_REDUCE_SCATTERV:
    case MUSTER_SCATTER:
    case MUSTER_SCATTERV:
    case MUSTER_RECV:
    case MUSTER_SEND_RECV:
      return call_.count;
    case MUSTER_REDUCE:
      return rank_ == call_.root ? call_.count : 0;
    case MUSTER_GATHER:
    case MUSTER_GATHERV:
      return rank_ == call_.root ? call_.count * size_ : 0;
    default:
      return call_.count * size_;
  }
}

double Exercise::expect(uint64_t index) const {
  const uint64_t count = call_.count;
  const uint64_t mine = rank_ * count;
  const auto moved = [&](uint32_t from, uint64_t at) {
    unsigned char element[8];
    store_value(call_.dtype, element, 0, value(from, at));
    return load_value(call_.dtype, element, 0);
  };
  const auto reduced = [&](uint64_t at) {
    int64_t few[16];
    std::vector<int64_t> many;
    int64_t* values = few;
    if (size_ > std::size(few)) {
      many.resize(size_);
      values = many.data();
    }
    for (uint32_t r = 0; r < size_; ++r) values[r] = value(r, at);
    return combine_values(call_.dtype, call_.redop, values, size_);
  };
  if (!arriving_.empty()) {
    const auto source = static_cast<uint32_t>(
        std::upper_bound(arrival_end_.begin(), arrival_end_.end(), index) - arrival_end_.begin());
    const uint64_t first = arrival_end_[source] - arriving_[source];
    return moved(source, source_offset_[source] + index - first);
  }
  const uint32_t from = static_cast<uint32_t>(index / std::max<uint64_t>(count, 1));
  switch (call_.op) {
    case MUSTER_ALL_REDUCE:
    case MUSTER_FUSED_ALL_REDUCE_RMSNORM:
    case MUSTER_REDUCE:
      return reduced(index);
    case MUSTER_REDUCE_SCATTER:
    case MUSTER_REDUCE_SCATTERV:
      return reduced(mine + index);
    case MUSTER_BROADCAST:
      return moved(call_.root, index);
    case MUSTER_SCATTER:
    case MUSTER_SCATTERV:
      return moved(call_.root, mine + index);
    case MUSTER_RECV:
      return moved(call_.peer, index);
    case MUSTER_SEND_RECV:
      return moved(call_.recv_peer, index);
    case MUSTER_ALL_TO_ALL:
    case MUSTER_ALL_TO_ALLV:
      return moved(from, mine + index % count);
    default:
      return moved(from, index % count);  // the gathers
  }
}

Exercise::Wrong Exercise::check() const {
  if (fused_ != nullptr)
    return fused_->check(recv_.data(), [this](uint64_t index) { return expect(index); });
  Wrong wrong;
  const uint64_t elements = results();
  for (uint64_t i = 0; i < elements; ++i) {
    const double right = expect(i);
    const double got = load_value(call_.dtype, recv_.data(), i);
    // The average of floats is rounded once, on devices once a step; everything else is exact.
    const bool rounded = call_.redop == MUSTER_AVG && !is_integer(call_.dtype);
    const double error = std::abs(right) / (dtype_size(call_.dtype) == 2 ? 32 : 64);
    if (got == right || (rounded && std::abs(got - right) <= error)) continue;
    if (wrong.count++ == 0) {
      wrong.first = i;
      wrong.got = got;
      wrong.right = right;
    }
  }
  return wrong;
}

std::string Exercise::describe() const {
  std::string text = op_name(call_.op);
  if (call_.op == MUSTER_BARRIER) return text;
  text += fmt::format(" {}", dtype_name(call_.dtype));
  if (op_reduces(call_.op)) text += fmt::format(" {}", redop_name(call_.redop));
  if ((call_.flags & MUSTER_CALL_QUANTISED) != 0) text += " quantised";
  return text + fmt::format(" count {}", call_.count);
}

}  // namespace muster

#include "core/agree/exercise.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

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
  uint64_t most = 0;
  for (uint32_t from = 0; from < size; ++from) {
    const uint64_t* const row = elements.data() + uint64_t{from} * size;
    exercise.source_offset_.push_back(std::accumulate(row, row + rank, uint64_t{0}));
    exercise.arriving_.push_back(row[rank]);
    most = std::max(most, std::accumulate(row, row + size, uint64_t{0}));
  }
  const uint64_t* const mine = elements.data() + uint64_t{rank} * size;
  exercise.counts_.assign(mine, mine + size);
  const uint64_t element = dtype_size(dtype);
  exercise.send_.resize(std::accumulate(mine, mine + size, uint64_t{0}) * element);
  exercise.recv_.resize(
      std::accumulate(exercise.arriving_.begin(), exercise.arriving_.end(), uint64_t{0}) * element);
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

uint32_t Exercise::residues() const { return call_.redop == MUSTER_PROD ? 2 : 3; }

uint32_t Exercise::residue(uint64_t index) const {
  const auto mixed = static_cast<uint32_t>((index + round_) * 0x9E3779B97F4A7C15ull >> 33);
  return residues() == 2 ? mixed % 2 : mixed % 3;
}

int64_t Exercise::value(uint32_t rank, uint32_t residue) const {
  return 1 + (uint64_t{rank} + residue) % residues();
}

void Exercise::fill(uint64_t round) {
  round_ = round;
  std::fill(recv_.begin(), recv_.end(), '\x5a');
  const uint64_t element = dtype_size(call_.dtype);
  const uint64_t elements = element == 0 ? 0 : send_.size() / element;
  FewValues::Values mine{};
  for (uint32_t k = 0; k < residues(); ++k) mine[k] = static_cast<double>(value(rank_, k));
  const FewValues values(call_.dtype, mine);
  values.write(send_.data(), elements, [this](uint64_t i) { return residue(i); });
  if (fused_ != nullptr) fused_->fill(round);
}

std::vector<Exercise::Run> Exercise::results() const {
  const uint64_t count = call_.count;
  const uint64_t mine = rank_ * count;
  std::vector<Run> runs;
  const auto each_rank = [&](uint64_t at) {
    for (uint32_t r = 0; r < size_; ++r) runs.push_back({count, at, r});
  };
  if (!arriving_.empty()) {
    for (uint32_t r = 0; r < size_; ++r) runs.push_back({arriving_[r], source_offset_[r], r});
    return runs;
  }
  switch (call_.op) {
    case MUSTER_BARRIER:
    case MUSTER_SEND:
      break;
    case MUSTER_ALL_REDUCE:
    case MUSTER_FUSED_ALL_REDUCE_RMSNORM:
      runs.push_back({count, 0, kReduced});
      break;
    case MUSTER_REDUCE:
      if (rank_ == call_.root) runs.push_back({count, 0, kReduced});
      break;
    case MUSTER_REDUCE_SCATTER:
    case MUSTER_REDUCE_SCATTERV:
      runs.push_back({count, mine, kReduced});
      break;
    case MUSTER_BROADCAST:
      runs.push_back({count, 0, call_.root});
      break;
    case MUSTER_SCATTER:
    case MUSTER_SCATTERV:
      runs.push_back({count, mine, call_.root});
      break;
    case MUSTER_RECV:
      runs.push_back({count, 0, call_.peer});
      break;
    case MUSTER_SEND_RECV:
      runs.push_back({count, 0, call_.recv_peer});
      break;
    case MUSTER_GATHER:
    case MUSTER_GATHERV:
      if (rank_ == call_.root) each_rank(0);
      break;
    case MUSTER_ALL_TO_ALL:
    case MUSTER_ALL_TO_ALLV:
      each_rank(mine);
      break;
    default:
      each_rank(0);  // the gathers
      break;
  }
  return runs;
}

FewValues::Values Exercise::right_values(uint32_t from) const {
  FewValues::Values right{};
  for (uint32_t k = 0; k < residues(); ++k) {
    if (from == kReduced) {
      std::vector<int64_t> values(size_);
      for (uint32_t r = 0; r < size_; ++r) values[r] = value(r, k);
      right[k] = combine_values(call_.dtype, call_.redop, values.data(), size_);
    } else {
      unsigned char element[8];
      store_value(call_.dtype, element, 0, value(from, k));
      right[k] = load_value(call_.dtype, element, 0);
    }
  }
  return right;
}

Exercise::Wrong Exercise::check() const {
  if (fused_ != nullptr) {
    return fused_->check(recv_.data(), [this, right = right_values(kReduced)](uint64_t index) {
      return right[residue(index)];
    });
  }
  // The average of floats is rounded once, on devices once a step; everything else is exact.
  const bool rounded = call_.redop == MUSTER_AVG && !is_integer(call_.dtype);
  const double allowed = dtype_size(call_.dtype) == 2 ? 1.0 / 32 : 1.0 / 64;
  Wrong wrong;
  uint64_t first = 0;
  for (const Run& run : results()) {
    const FewValues::Values right = right_values(run.from);
    const FewValues expected(call_.dtype, right);
    const char* const here = recv_.data() + first * dtype_size(call_.dtype);
    const auto pick = [&](uint64_t i) { return residue(run.at + i); };
    for (uint64_t i = 0; (i = expected.first_other(here, i, run.count, pick)) < run.count; ++i) {
      const double got = load_value(call_.dtype, here, i);
      const double wanted = right[pick(i)];
      if (got == wanted || (rounded && std::abs(got - wanted) <= std::abs(wanted) * allowed)) {
        continue;
      }
      if (wrong.count++ == 0) {
        wrong.first = first + i;
        wrong.got = got;
        wrong.right = wanted;
      }
    }
    first += run.count;
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

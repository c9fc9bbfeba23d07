#include "tests/ranks/call_data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "muster/muster.h"
#include "tests/ranks/fused.hpp"

namespace muster::ranks {
namespace {

constexpr unsigned char kPoison = 0xa5;
// Ranks of the inputs that are not sent.
constexpr uint32_t kResidual = 1u << 20;
constexpr uint32_t kWeight = 1u << 21;
constexpr uint32_t kScalar = 1u << 22;

const uint64_t* data_or_null(const std::vector<uint64_t>& values) {
  return values.empty() ? nullptr : values.data();
}

}  // namespace

void Guarded::reset(uint64_t bytes, uint64_t shift, SharedMemory* shared, uint64_t random) {
  begin_ = kGuard + shift;
  bytes_ = bytes;
  const uint64_t needed = begin_ + bytes + kGuard;
  block_ = {};  // before the next is taken: it may be the same
  if (shared != nullptr) block_ = shared->take(needed, random);
  if (block_.data() == nullptr && memory_.size() < needed) memory_.resize(needed);
  base_ = block_.data() != nullptr ? block_.data() : memory_.data();
  std::memset(base_, kPoison, needed);
}

void Guarded::poison() { std::memset(data(), kPoison, bytes_); }

bool Guarded::poisoned(const unsigned char* from, uint64_t bytes) {
  return bytes == 0 || (from[0] == kPoison && std::memcmp(from, from + 1, bytes - 1) == 0);
}

bool Guarded::guards_hold() const {
  return base_ == nullptr || (poisoned(base_, begin_) && poisoned(base_ + begin_ + bytes_, kGuard));
}

void CallData::reset(Guarded& buffer, uint32_t which, uint64_t bytes, SharedMemory* shared) {
  const uint64_t random = mix(case_.seed, rank_, 9u);
  const bool both = shape_.in_place && which == 1;
  bool is_shared = false;
  switch (case_.place) {
    case Place::kShared:
      is_shared = true;
      break;
    case Place::kSend:
      is_shared = which == 0 || both;
      break;
    case Place::kRecv:
      is_shared = which == 1;
      break;
    case Place::kMixed:
      is_shared = mix(random, 13u, which) % 2 == 0;
      break;
    default:
      break;
  }
  buffer.reset(bytes, mix(random, which) % 5 * element_, is_shared ? shared : nullptr,
               mix(random, 14u, which));
}

void CallData::prepare(const Case& c, uint32_t rank, uint32_t size, SharedMemory* shared) {
  case_ = c;
  rank_ = rank;
  size_ = size;
  shape_ = shape_of(c, rank, size);
  element_ = c.dtype == MUSTER_DTYPE_NONE ? 1 : bytes_of(c.dtype);
  recv_element_ = c.quantised ? 1 : element_;
  data_seed_ = c.seed;
  const uint64_t random = mix(c.seed, rank, 9u);
  if (shape_.in_place) {
    const uint64_t extent =
        std::max(shape_.send_at + shape_.send_extent, shape_.recv_at + shape_.recv_extent);
    reset(recv_, 1, extent * element_, shared);
    send_.reset(0, 0);
  } else {
    reset(send_, 0, shape_.send_extent * element_, shared);
    reset(recv_, 1, shape_.recv_extent * recv_element_, shared);
  }
  call_ = muster_call_init(shape_.op, c.dtype);
  call_.redop = c.redop;
  call_.root = c.root;
  call_.peer = shape_.peer;
  call_.recv_peer = shape_.recv_peer;
  call_.count = shape_.count;
  call_.recv_count = shape_.recv_count;
  call_.send_counts = data_or_null(shape_.send_counts);
  call_.send_displs = data_or_null(shape_.send_displs);
  call_.recv_counts = data_or_null(shape_.recv_counts);
  call_.recv_displs = data_or_null(shape_.recv_displs);
  call_.max_bytes = shape_.max_bytes;
  // The promise may be left out.
  if (c.place == Place::kShared && mix(c.seed, 15u) % 2 == 0) call_.flags = MUSTER_CALL_SYMMETRIC;
  // What an operation does not look at is NULL, or anything.
  const bool null = random % 2 == 0;
  call_.send = shape_.send_extent == 0 && !shape_.in_place && null ? nullptr : send();
  call_.recv = shape_.recv_extent == 0 && !shape_.in_place && null ? nullptr : recv();
  if (c.scalar) {
    Input{c.seed, kScalar, c.dtype}.fill(scalar_.data(), 0, 1);
    call_.scalar = scalar_.data();
  }
  if (c.op == MUSTER_FUSED_ALL_REDUCE_RMSNORM) {
    fused_ = {};
    fused_.struct_size = MUSTER_FUSED_RMSNORM_SIZE;
    fused_.hidden = kHidden;
    fused_.epsilon = 1e-5;
    reset(residual_, 2, shape_.count * element_, shared);
    reset(residual_out_, 3, shape_.count * element_, shared);
    reset(weight_, 4, kHidden * element_, shared);
    scales_.reset(c.quantised ? shape_.count / kQuantGroup * sizeof(float) : 0, 0);
    if (c.quantised) {
      fused_.quant_group = kQuantGroup;
      fused_.scale_out = reinterpret_cast<float*>(scales_.data());
    }
    // The same on all ranks.
    if (mix(c.seed, 12u) % 4 != 0) fused_.residual = residual_.data();
    fused_.residual_out = residual_out_.data();
    fused_.weight = weight_.data();
    call_.fused = &fused_;
  }
  fill();
}

void CallData::refill(uint64_t data_seed) {
  data_seed_ = data_seed;
  send_.poison();
  recv_.poison();
  fill();
}

void CallData::fill() {
  if (shape_.send_extent != 0) input(rank_).fill(send(), 0, shape_.send_extent);
  if (call_.fused == nullptr) return;
  residual_out_.poison();
  scales_.poison();
  input(kResidual).fill(residual_.data(), 0, shape_.count);
  input(kWeight).fill(weight_.data(), 0, kHidden);
}

Reduction CallData::reduction() const {
  return {data_seed_, size_, case_.dtype, case_.redop, case_.special, call_.scalar, case_.stepwise};
}

void CallData::check(bool sampled, Wrong& wrong) {
  if (call_.fused != nullptr) {
    check_fused(sampled, wrong);
  } else {
    for (const Piece& piece : shape_.pieces) check_piece(piece, sampled, wrong);
  }
  check_rest(wrong);
  for (const Guarded* buffer : {&send_, &recv_, &residual_, &residual_out_, &weight_, &scales_}) {
    if (!buffer->guards_hold()) wrong.note(1, "bytes beside a buffer were written");
  }
}

void CallData::check_piece(const Piece& piece, bool sampled, Wrong& wrong) {
  const auto check = [&](uint64_t from, uint64_t count) {
    const unsigned char* const got = recv() + (piece.at + from) * element_;
    if (piece.reduced) {
      check_reduced(reduction(), piece.from + from, count, got, piece.at + from, wrong);
    } else {
      check_moved(input(piece.source), piece.from + from, count, got, piece.at + from, wrong);
    }
  };
  constexpr uint64_t kWhole = 16384;
  if (!sampled || piece.count <= kWhole || !piece.reduced) return check(0, piece.count);
  constexpr uint64_t kSample = 256;
  check(0, kSample);
  check(piece.count - kSample, kSample);
  for (uint32_t i = 0; i < 24; ++i) {
    check(mix(data_seed_, rank_, i) % (piece.count - kSample), kSample);
  }
}

// Elements of the receive buffer (in place: of the common one) that no piece covers.
void CallData::check_untouched(uint64_t begin, uint64_t end, Wrong& wrong) {
  const unsigned char* const base = recv_.data();
  const auto poisoned = [&](uint64_t from, uint64_t to) {
    if (from < to && !Guarded::poisoned(base + from * recv_element_, (to - from) * recv_element_)) {
      wrong.note(1, fmt::format("elements {} to {} are no result and were written", from, to - 1));
    }
  };
  if (!shape_.in_place) return poisoned(begin, end);
  const uint64_t send_begin = std::clamp(shape_.send_at, begin, end);
  const uint64_t send_end = std::clamp(shape_.send_at + shape_.send_extent, begin, end);
  poisoned(begin, send_begin);
  if (send_begin < send_end) {
    check_moved(input(rank_), send_begin - shape_.send_at, send_end - send_begin,
                base + send_begin * element_, send_begin, wrong);
  }
  poisoned(send_end, end);
}

void CallData::check_rest(Wrong& wrong) {
  uint64_t next = 0;
  const uint64_t shift = shape_.in_place ? shape_.recv_at : 0;
  for (const Piece& piece : shape_.pieces) {
    check_untouched(next, piece.at + shift, wrong);
    next = piece.at + shift + piece.count;
  }
  check_untouched(next, recv_.bytes() / recv_element_, wrong);
  if (!shape_.in_place) check_moved(input(rank_), 0, shape_.send_extent, send_.data(), 0, wrong);
  if (call_.fused != nullptr) {
    check_moved(input(kResidual), 0, shape_.count, residual_.data(), 0, wrong);
    check_moved(input(kWeight), 0, kHidden, weight_.data(), 0, wrong);
  }
}

void CallData::check_fused(bool sampled, Wrong& wrong) {
  const FusedInputs inputs{reduction(), input(kResidual), fused_.residual != nullptr,
                           input(kWeight), fused_.epsilon};
  const uint64_t rows = case_.count;
  for (uint64_t row = 0; row < rows; ++row) {
    if (sampled && rows > 64 && mix(data_seed_, row) % (rows / 32) != 0 && row + 1 != rows)
      continue;
    const uint64_t at = row * kHidden;
    const float* const scales =
        case_.quantised ? fused_.scale_out + row * (kHidden / kQuantGroup) : nullptr;
    check_fused_row(inputs, row,
                    {recv() + at * recv_element_, residual_out_.data() + at * element_, scales},
                    wrong);
  }
}

}  // namespace muster::ranks

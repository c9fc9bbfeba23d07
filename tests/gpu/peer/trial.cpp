#include "tests/gpu/peer/trial.hpp"

#include <cstring>

#include "muster/narrow_float.hpp"

namespace muster::peer_test {

constexpr unsigned char kPoison = 0xff;

Arena::Arena(Rank& the_rank, uint64_t the_bytes, Knowledge the_knowledge)
    : rank(the_rank), bytes(the_bytes + 4 * Trial::kMargin), knowledge(the_knowledge) {
  send = allocate();
  recv = allocate();
  // Nothing allocates while a rank on the same device waits for this one.
  rank.board.barrier();
  if (knowledge == Knowledge::kNone) return;
  const bool apart = knowledge == Knowledge::kPartly && rank.rank + 1 == rank.size;
  if (apart) aside_ = allocate();
  for (const cu::DevicePointer buffer : {send, apart ? aside_ : recv}) {
    registrations_.push_back(nullptr);
    const std::string cause = rank.make_known(buffer, bytes, &registrations_.back());
    if (!cause.empty()) rank.board.fail("memory is not registered: " + cause);
  }
  rank.board.barrier();
}

Arena::~Arena() {
  rank.synchronize();
  rank.board.barrier();
  for (void* const registration : registrations_) rank.forget(registration);
  rank.board.barrier();
  release(send);
  release(recv);
  if (aside_ != 0) release(aside_);
}

cu::DevicePointer Arena::allocate() {
  return knowledge == Knowledge::kVirtual ? rank.allocate_virtual(bytes) : rank.allocate(bytes);
}
void Arena::release(cu::DevicePointer pointer) {
  if (knowledge == Knowledge::kVirtual) {
    rank.release_virtual(pointer);
  } else {
    rank.release(pointer);
  }
}

Trial::Trial(Arena& arena, const Case& c, Place place, uint64_t shift)
    : arena_(arena), case_(c), place_(place) {
  const uint64_t size = muster_dtype_size(c.dtype);
  send_ = arena.send + kMargin + arena.offset() + shift;
  recv_ = arena.recv + kMargin + arena.offset() + 2 * shift;
  const uint32_t rank = arena.rank.rank;
  if (place == Place::kIn) {
    recv_ = send_;
    if (c.op == MUSTER_ALL_GATHER) send_ = recv_ + rank * c.count * size;
    if (c.op == MUSTER_REDUCE_SCATTER) recv_ = send_ + rank * c.count * size;
  }
  window_ = recv_ - kMargin;
}

uint64_t Trial::recv_bytes() const {
  return case_.recv_count(arena_.rank.size) * muster_dtype_size(case_.dtype);
}

void Trial::reseed(uint64_t seed) {
  case_.seed = seed;
  reset();
}

void Trial::reset() {
  Rank& rank = arena_.rank;
  operand_ = operand_of(case_, rank.rank, rank.size);
  MUSTER_MUST(test_driver().fill(arena_.recv, kPoison, arena_.bytes, rank.stream));
  MUSTER_MUST(test_driver().fill(arena_.send, kPoison, arena_.bytes, rank.stream));
  upload();
  rank.synchronize();
}

void Trial::upload() {
  Rank& rank = arena_.rank;
  if (case_.op == MUSTER_BROADCAST && rank.rank != case_.root) return;
  MUSTER_MUST(test_driver().copy_in(send_, operand_.data(), operand_.size(), rank.stream));
}

std::string Trial::run() {
  muster_call call =
      arena_.rank.call(case_.op, case_.dtype, case_.redop, case_.count, send_, recv_);
  call.root = case_.root;
  if (place_ == Place::kIn) call.flags = MUSTER_CALL_IN_PLACE;
  // A promise that kPartly does not keep.
  const bool known =
      arena_.knowledge == Knowledge::kPlain || arena_.knowledge == Knowledge::kVirtual;
  if (known) call.flags |= MUSTER_CALL_SYMMETRIC;
  float full = case_.scalar;
  uint16_t half = case_.dtype == MUSTER_F16 ? f32_to_f16(case_.scalar) : f32_to_bf16(case_.scalar);
  if (case_.scalar != 1.0f) {
    call.scalar = case_.dtype == MUSTER_F32 ? static_cast<void*>(&full) : static_cast<void*>(&half);
  }
  return arena_.rank.execute(call);
}

void Trial::check(const std::string& what) {
  Rank& rank = arena_.rank;
  const std::string who = "rank " + std::to_string(rank.rank) + " " + case_.name() +
                          (place_ == Place::kIn ? " in place " : " ") + what + ": ";
  Bytes got(recv_bytes() + 2 * kMargin);
  rank.synchronize();
  MUSTER_MUST(test_driver().copy_out(got.data(), window_, got.size(), rank.stream));
  rank.synchronize();
  if (const std::string cause = rank.async_error(); !cause.empty()) {
    rank.board.fail(who + cause);
    return;
  }
  const Bytes expected = result_of(case_, rank.rank, rank.size);
  uint64_t wrong = 0;
  uint64_t first = 0;
  for (uint64_t i = 0; i < expected.size(); ++i) {
    if (got[kMargin + i] == expected[i]) continue;
    if (wrong++ == 0) first = i;
  }
  if (wrong != 0) {
    const uint64_t size = muster_dtype_size(case_.dtype);
    rank.board.fail(who + std::to_string(wrong) + " bytes differ, first in element " +
                    std::to_string(first / size) + ": got " + std::to_string(got[kMargin + first]) +
                    ", expected " + std::to_string(expected[first]));
    return;
  }
  // In reduce_scatter in place the operand stands around the result.
  const bool bare = !(place_ == Place::kIn && case_.op == MUSTER_REDUCE_SCATTER);
  for (uint64_t i = 0; bare && i < kMargin; ++i) {
    if (got[i] != kPoison || got[kMargin + expected.size() + i] != kPoison) {
      rank.board.fail(who + "wrote outside of the result, at margin byte " + std::to_string(i));
      return;
    }
  }
  rank.board.pass();
}

}  // namespace muster::peer_test

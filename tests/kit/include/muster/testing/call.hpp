// Calls that a mock has seen, and what a test expects of them: compared field by field, so that a
// failure reads "rank 1, call 3: count is 8, wanted 16; dtype is bf16, wanted f32".
//
//   EXPECT_CALL(mock, execute(OnRank(1), Call(MUSTER_ALL_REDUCE).dtype(MUSTER_F32).count(16)));
//   EXPECT_THAT(mock.calls_of(1), Calls({Call(MUSTER_ALL_REDUCE).count(16),
//   Call(MUSTER_BARRIER)}));
//
// Values; any thread. As NCCL's and MPI's arguments, by the names of call.h.
#ifndef MUSTER_TESTING_CALL_HPP
#define MUSTER_TESTING_CALL_HPP

#include <gmock/gmock.h>

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "muster/call.h"

namespace muster::testing {

// A call that reached a mock. What its pointers point to was the caller's.
struct RecordedCall {
  uint32_t rank;      // of the group
  std::string group;  // its name
  std::string slot;   // "execute", "start" or "execute_batch"
  muster_call call;
};

// "all_reduce(sum, 16 of f32)", "send(4 of i32, to 2)".
std::string text_of(const muster_call& call);

// What a call is wanted to be; a field that is not named may be anything. A matcher of muster_call
// and of RecordedCall.
class Call {
 public:
  using is_gtest_matcher = void;

  explicit Call(muster_op op) : op_(op) {}
  Call& dtype(muster_dtype dtype) { return set(dtype_, dtype); }
  Call& redop(muster_redop redop) { return set(redop_, redop); }
  Call& count(uint64_t count) { return set(count_, count); }
  Call& root(uint32_t root) { return set(root_, root); }
  Call& peer(uint32_t peer) { return set(peer_, peer); }
  Call& recv_peer(uint32_t peer) { return set(recv_peer_, peer); }
  Call& phase(muster_phase phase) { return set(phase_, phase); }
  Call& in_place(bool in_place = true) { return set(in_place_, in_place); }
  Call& send(const void* send) { return set(send_, send); }
  Call& recv(const void* recv) { return set(recv_, recv); }

  // "count is 8, wanted 16; root is 1, wanted 0"; "" for a call that is as wanted.
  std::string difference_of(const muster_call& call) const;
  std::string text() const;

  bool MatchAndExplain(const muster_call& call, std::ostream* out) const;
  bool MatchAndExplain(const RecordedCall& call, std::ostream* out) const;
  void DescribeTo(std::ostream* out) const { *out << "is " << text(); }
  void DescribeNegationTo(std::ostream* out) const { *out << "is not " << text(); }

 private:
  template <typename Field, typename Value>
  Call& set(Field& field, Value value) {
    field = value;
    return *this;
  }

  muster_op op_;
  std::optional<muster_dtype> dtype_;
  std::optional<muster_redop> redop_;
  std::optional<uint64_t> count_;
  std::optional<uint32_t> root_, peer_, recv_peer_;
  std::optional<muster_phase> phase_;
  std::optional<bool> in_place_;
  std::optional<const void*> send_, recv_;
};

// Exactly these calls, in this order. A matcher of what MockBackend::calls_of gives.
class Calls {
 public:
  using is_gtest_matcher = void;
  explicit Calls(std::vector<Call> wanted) : wanted_(std::move(wanted)) {}

  bool MatchAndExplain(const std::vector<RecordedCall>& calls, std::ostream* out) const;
  void DescribeTo(std::ostream* out) const;
  void DescribeNegationTo(std::ostream* out) const;

 private:
  std::vector<Call> wanted_;
};

// Of the group that a slot of a mock is called for.
MATCHER_P(OnRank, rank, "is on rank " + ::testing::PrintToString(rank)) {
  return arg.rank() == static_cast<uint32_t>(rank);
}

void PrintTo(const RecordedCall& call, std::ostream* out);

}  // namespace muster::testing

// For GoogleTest, which prints bytes of what it does not know.
void PrintTo(const muster_call& call, std::ostream* out);

#endif

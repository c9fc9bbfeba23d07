#include "muster/testing/call.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace muster::testing {
namespace {

using ::testing::PrintToString;

muster_call reduce_of(uint64_t count) {
  muster_call call{};
  call.op = MUSTER_REDUCE;
  call.dtype = MUSTER_BF16;
  call.redop = MUSTER_SUM;
  call.count = count;
  call.root = 1;
  return call;
}

RecordedCall recorded(uint32_t rank, const muster_call& call) {
  return {rank, "tp", "execute", call};
}

template <typename Matcher, typename Value>
std::string explained(const Matcher& matcher, const Value& value) {
  std::ostringstream out;
  return matcher.MatchAndExplain(value, &out) ? "as wanted" : out.str();
}

TEST(Call, GivenACallThenItIsPrintedByNames) {
  EXPECT_EQ(PrintToString(reduce_of(8)), "reduce(sum, 8 of bf16, root 1)");
  muster_call message = reduce_of(8);
  message.op = MUSTER_SEND_RECV;
  message.redop = MUSTER_REDOP_NONE;
  message.peer = 2;
  message.recv_peer = 3;
  EXPECT_EQ(PrintToString(message), "send_recv(8 of bf16, to 2, from 3)");
  muster_call captured = reduce_of(1);
  captured.op = MUSTER_ALL_REDUCE;
  captured.flags = MUSTER_CALL_IN_PLACE;
  captured.phase = MUSTER_GRAPH_CAPTURE;
  EXPECT_EQ(PrintToString(captured), "all_reduce(sum, 1 of bf16, in place, capture)");
  EXPECT_EQ(PrintToString(recorded(2, reduce_of(8))),
            "execute reduce(sum, 8 of bf16, root 1) on rank 2 of tp");
}

TEST(Call, GivenFieldsThatAreNotNamedThenTheyMayBeAnything) {
  EXPECT_EQ(explained(Call(MUSTER_REDUCE), reduce_of(8)), "as wanted");
  EXPECT_EQ(explained(Call(MUSTER_REDUCE).count(8).dtype(MUSTER_BF16).root(1), reduce_of(8)),
            "as wanted");
}

TEST(Call, GivenDifferencesThenEachIsNamedWithWhatIsAndWhatWasWanted) {
  EXPECT_EQ(explained(Call(MUSTER_ALL_REDUCE), reduce_of(8)),
            "operation is reduce, wanted all_reduce");
  const Call wanted =
      Call(MUSTER_REDUCE).dtype(MUSTER_F32).redop(MUSTER_MAX).count(16).root(0).in_place();
  EXPECT_EQ(explained(wanted, reduce_of(8)),
            "dtype is bf16, wanted f32; redop is sum, wanted max; count is 8, wanted 16; "
            "root is 1, wanted 0; in_place is no, wanted yes");
  EXPECT_EQ(
      explained(Call(MUSTER_REDUCE).peer(2).recv_peer(3).phase(MUSTER_GRAPH_WARMUP), reduce_of(8)),
      "peer is 0, wanted 2; recv_peer is 0, wanted 3; phase is eager, wanted warmup");
  EXPECT_EQ(explained(Call(MUSTER_REDUCE).count(16), recorded(3, reduce_of(8))),
            "rank 3: count is 8, wanted 16");
}

TEST(Call, GivenAWantedCallThenItDescribesWhatIsAskedFor) {
  std::ostringstream out;
  Call(MUSTER_REDUCE).count(16).dtype(MUSTER_F32).DescribeTo(&out);
  EXPECT_EQ(out.str(), "is reduce with dtype f32, count 16");
}

TEST(Calls, GivenAStoryThenTheFirstDifferenceSaysWhichRankAndCall) {
  const std::vector<RecordedCall> story = {recorded(1, reduce_of(8)), recorded(1, reduce_of(9))};
  const Call eight = Call(MUSTER_REDUCE).count(8);
  EXPECT_EQ(explained(Calls({eight, Call(MUSTER_REDUCE)}), story), "as wanted");
  EXPECT_EQ(explained(Calls({eight, eight}), story), "rank 1, call 1: count is 9, wanted 8");
  EXPECT_EQ(explained(Calls({eight}), story),
            "rank 1 made 2 calls, wanted 1; the first too many is reduce(sum, 9 of bf16, root 1)");
  EXPECT_EQ(explained(Calls({eight, Call(MUSTER_REDUCE), Call(MUSTER_BARRIER)}), story),
            "2 calls were made, wanted 3; the first that is missing is barrier");
}

}  // namespace
}  // namespace muster::testing

// What reaches a backend of every function of the API: exactly the fields that the caller gave, and
// what the runtime knows besides.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <mutex>
#include <set>

#include "core/base/names.hpp"
#include "tests/unit/dispatch/mocked_group.hpp"

namespace muster::testing {
namespace {

using ::testing::HasSubstr;

constexpr uint32_t kRanks = 3;

class Operations : public ::testing::Test {
 protected:
  // The record that rank 1 of three handed to the backend.
  muster_call seen_on_rank_1(const std::function<void(api::Group&)>& body) {
    IdleBackend mock("fast");
    muster_call seen{};
    ON_CALL(mock, execute).WillByDefault([&](MockGroup& group, const muster_call& call) {
      if (group.rank() == 1) seen = call;
    });
    World(kRanks).with(mock).run([&](api::Runtime& runtime, uint32_t) {
      api::Group group(runtime);
      body(group);
    });
    EXPECT_EQ(seen.struct_size, MUSTER_CALL_SIZE);
    return seen;
  }

  alignas(64) char send_[256] = {};
  alignas(64) char recv_[256] = {};
  const uint64_t counts_[kRanks] = {2, 3, 4};
  const uint64_t displs_[kRanks] = {0, 10, 20};
};

TEST_F(Operations, GivenAnAllReduceThenItsFieldsArrive) {
  const muster_call call = seen_on_rank_1(
      [&](api::Group& group) { group.all_reduce(send_, recv_, 5, MUSTER_BF16, MUSTER_MAX); });
  EXPECT_EQ(call.op, uint32_t{MUSTER_ALL_REDUCE});
  EXPECT_EQ(call.dtype, uint32_t{MUSTER_BF16});
  EXPECT_EQ(call.redop, uint32_t{MUSTER_MAX});
  EXPECT_EQ(call.send, send_);
  EXPECT_EQ(call.recv, recv_);
  EXPECT_EQ(call.count, 5u);
  EXPECT_EQ(call.selection_bytes, 10u);
  EXPECT_EQ(call.send_memory, uint32_t{MUSTER_HOST});
  EXPECT_EQ(call.recv_memory, uint32_t{MUSTER_HOST});
  EXPECT_EQ(call.phase, uint32_t{MUSTER_EAGER});
  EXPECT_EQ(call.flags, 0u);
  EXPECT_EQ(call.scalar, nullptr);
  EXPECT_EQ(call.fused, nullptr);
}

TEST_F(Operations, GivenAReduceThenItsRootArrives) {
  const muster_call call = seen_on_rank_1(
      [&](api::Group& group) { group.reduce(send_, recv_, 5, MUSTER_F32, MUSTER_SUM, 2); });
  EXPECT_EQ(call.op, uint32_t{MUSTER_REDUCE});
  EXPECT_EQ(call.root, 2u);
  EXPECT_EQ(call.selection_bytes, 20u);
}

TEST_F(Operations, GivenAReduceScatterThenItsCountIsPerRank) {
  const muster_call call = seen_on_rank_1(
      [&](api::Group& group) { group.reduce_scatter(send_, recv_, 5, MUSTER_F32, MUSTER_SUM); });
  EXPECT_EQ(call.op, uint32_t{MUSTER_REDUCE_SCATTER});
  EXPECT_EQ(call.count, 5u);
  EXPECT_EQ(call.selection_bytes, 20u);
}

TEST_F(Operations, GivenAReduceScattervThenItsCountIsThisRanksAndItsSizeTheWhole) {
  const muster_call call = seen_on_rank_1([&](api::Group& group) {
    group.reduce_scatterv(send_, recv_, counts_, MUSTER_F32, MUSTER_SUM);
  });
  EXPECT_EQ(call.op, uint32_t{MUSTER_REDUCE_SCATTERV});
  EXPECT_EQ(call.recv_counts, counts_);
  EXPECT_EQ(call.count, 3u);
  EXPECT_EQ(call.selection_bytes, 36u);
}

TEST_F(Operations, GivenTheFusedOperationThenItsOperandsArriveAndItSums) {
  muster_fused_rmsnorm fused{};
  fused.struct_size = MUSTER_FUSED_RMSNORM_SIZE;
  fused.hidden = 5;
  fused.weight = send_;
  const muster_call call = seen_on_rank_1([&](api::Group& group) {
    group.fused_all_reduce_rmsnorm(send_, recv_, 10, MUSTER_F16, fused);
  });
  EXPECT_EQ(call.op, uint32_t{MUSTER_FUSED_ALL_REDUCE_RMSNORM});
  EXPECT_EQ(call.fused, &fused);
  EXPECT_EQ(call.redop, uint32_t{MUSTER_SUM});
  EXPECT_EQ(call.selection_bytes, 20u);
}

TEST_F(Operations, GivenABroadcastThenItsRootArrives) {
  const muster_call call =
      seen_on_rank_1([&](api::Group& group) { group.broadcast(send_, recv_, 5, MUSTER_U8, 1); });
  EXPECT_EQ(call.op, uint32_t{MUSTER_BROADCAST});
  EXPECT_EQ(call.root, 1u);
  EXPECT_EQ(call.redop, uint32_t{MUSTER_REDOP_NONE});
  EXPECT_EQ(call.selection_bytes, 5u);
}

TEST_F(Operations, GivenAGatherOfEitherKindThenItsSizeIsThatOfOnePart) {
  muster_call call =
      seen_on_rank_1([&](api::Group& group) { group.all_gather(send_, recv_, 5, MUSTER_I16); });
  EXPECT_EQ(call.op, uint32_t{MUSTER_ALL_GATHER});
  EXPECT_EQ(call.selection_bytes, 10u);
  call = seen_on_rank_1([&](api::Group& group) { group.gather(send_, recv_, 5, MUSTER_I16, 2); });
  EXPECT_EQ(call.op, uint32_t{MUSTER_GATHER});
  EXPECT_EQ(call.root, 2u);
  EXPECT_EQ(call.selection_bytes, 10u);
}

TEST_F(Operations, GivenAnAllGathervThenVectorsArriveAndItsSizeIsTheWhole) {
  const muster_call call = seen_on_rank_1(
      [&](api::Group& group) { group.all_gatherv(send_, recv_, counts_, displs_, MUSTER_I16); });
  EXPECT_EQ(call.op, uint32_t{MUSTER_ALL_GATHERV});
  EXPECT_EQ(call.recv_counts, counts_);
  EXPECT_EQ(call.recv_displs, displs_);
  EXPECT_EQ(call.count, 3u);
  EXPECT_EQ(call.selection_bytes, 18u);
}

TEST_F(Operations, GivenAGathervThenItIsUnsizedOrAsLargeAsTheCallerSays) {
  muster_call call = seen_on_rank_1([&](api::Group& group) {
    group.gatherv(send_, counts_[group.rank()], recv_, counts_, displs_, MUSTER_I16, 0);
  });
  EXPECT_EQ(call.op, uint32_t{MUSTER_GATHERV});
  EXPECT_EQ(call.count, 3u);
  EXPECT_EQ(call.recv_counts, counts_);
  EXPECT_EQ(call.selection_bytes, UINT64_MAX);
  api::Options bounded;
  bounded.max_bytes = 1000;
  call = seen_on_rank_1([&](api::Group& group) {
    group.gatherv(send_, counts_[group.rank()], recv_, counts_, displs_, MUSTER_I16, 0, bounded);
  });
  EXPECT_EQ(call.selection_bytes, 1000u);
  EXPECT_EQ(call.max_bytes, 1000u);
}

TEST_F(Operations, GivenAScatterOfEitherKindThenItsFieldsArrive) {
  muster_call call =
      seen_on_rank_1([&](api::Group& group) { group.scatter(send_, recv_, 5, MUSTER_I16, 2); });
  EXPECT_EQ(call.op, uint32_t{MUSTER_SCATTER});
  EXPECT_EQ(call.selection_bytes, 10u);
  call = seen_on_rank_1([&](api::Group& group) {
    group.scatterv(send_, counts_, displs_, recv_, counts_[group.rank()], MUSTER_I16, 1);
  });
  EXPECT_EQ(call.op, uint32_t{MUSTER_SCATTERV});
  EXPECT_EQ(call.send_counts, counts_);
  EXPECT_EQ(call.send_displs, displs_);
  EXPECT_EQ(call.count, 3u);
  EXPECT_EQ(call.selection_bytes, UINT64_MAX);
}

TEST_F(Operations, GivenAnAllToAllOfEitherKindThenItsFieldsArrive) {
  muster_call call =
      seen_on_rank_1([&](api::Group& group) { group.all_to_all(send_, recv_, 5, MUSTER_I16); });
  EXPECT_EQ(call.op, uint32_t{MUSTER_ALL_TO_ALL});
  EXPECT_EQ(call.selection_bytes, 10u);
  call = seen_on_rank_1([&](api::Group& group) {
    group.all_to_allv(send_, counts_, displs_, recv_, counts_, nullptr, MUSTER_I16);
  });
  EXPECT_EQ(call.op, uint32_t{MUSTER_ALL_TO_ALLV});
  EXPECT_EQ(call.send_counts, counts_);
  EXPECT_EQ(call.send_displs, displs_);
  EXPECT_EQ(call.recv_counts, counts_);
  EXPECT_EQ(call.recv_displs, nullptr);
  EXPECT_EQ(call.selection_bytes, UINT64_MAX);
}

TEST_F(Operations, GivenMessagesThenPeersArriveAndTheyAreUnsized) {
  muster_call call = seen_on_rank_1(
      [&](api::Group& group) { group.send(send_, 5, MUSTER_I16, (group.rank() + 1) % 3); });
  EXPECT_EQ(call.op, uint32_t{MUSTER_SEND});
  EXPECT_EQ(call.peer, 2u);
  EXPECT_EQ(call.recv, nullptr);
  EXPECT_EQ(call.selection_bytes, UINT64_MAX);
  call = seen_on_rank_1(
      [&](api::Group& group) { group.recv(recv_, 5, MUSTER_I16, (group.rank() + 1) % 3); });
  EXPECT_EQ(call.op, uint32_t{MUSTER_RECV});
  EXPECT_EQ(call.peer, 2u);
  EXPECT_EQ(call.send, nullptr);
  call = seen_on_rank_1(
      [&](api::Group& group) { group.send_recv(send_, 5, 2, recv_, 6, 0, MUSTER_I16); });
  EXPECT_EQ(call.op, uint32_t{MUSTER_SEND_RECV});
  EXPECT_EQ(call.count, 5u);
  EXPECT_EQ(call.peer, 2u);
  EXPECT_EQ(call.recv_count, 6u);
  EXPECT_EQ(call.recv_peer, 0u);
}

TEST_F(Operations, GivenABarrierThenItHasNoData) {
  const muster_call call = seen_on_rank_1([&](api::Group& group) { group.barrier(); });
  EXPECT_EQ(call.op, uint32_t{MUSTER_BARRIER});
  EXPECT_EQ(call.dtype, uint32_t{MUSTER_DTYPE_NONE});
  EXPECT_EQ(call.selection_bytes, 0u);
}

TEST(Barrier, GivenAGroupOfDeviceMemoryThenItRunsOnTheHostChannel) {
  IdleBackend mock("both");
  ON_CALL(mock, offer).WillByDefault([](plugin::Query query) {
    muster_rule rule = MockBackend::everything();
    rule.memory |= MUSTER_BIT(MUSTER_CUDA);
    query.add(rule);
  });
  std::mutex mutex;
  std::multiset<std::pair<muster_op, muster_memory>> seen;
  ON_CALL(mock, execute).WillByDefault([&](MockGroup&, const muster_call& call) {
    const std::lock_guard lock(mutex);
    seen.emplace(call.op, call.send_memory);
  });
  api::GroupOptions options;
  options.memory = MUSTER_CUDA;
  with_group(
      2, mock,
      [](api::Group& group) {
        float data = 0;
        group.all_reduce(&data, &data, 1, MUSTER_SUM);
        group.barrier();
      },
      options);
  EXPECT_EQ(seen.count({MUSTER_ALL_REDUCE, MUSTER_CUDA}), 2u);
  EXPECT_EQ(seen.count({MUSTER_BARRIER, MUSTER_HOST}), 2u);
}

TEST_F(Operations, GivenOptionsThenTheyArrive) {
  const float factor = 2;
  api::Options options;
  options.flags = MUSTER_CALL_SYMMETRIC | 0x100;  // unknown flags are not handed on
  options.scalar = &factor;
  const muster_call call = seen_on_rank_1([&](api::Group& group) {
    group.all_reduce(send_, recv_, 5, MUSTER_F32, MUSTER_SUM, options);
  });
  EXPECT_EQ(call.flags, uint32_t{MUSTER_CALL_SYMMETRIC});
  EXPECT_EQ(call.scalar, &factor);
}

TEST_F(Operations, GivenARecordOfAnOlderProgramThenItsMissingFieldsAreZero) {
  const muster_call call = seen_on_rank_1([&](api::Group& group) {
    muster_call old;
    std::memset(&old, 0xff, sizeof(old));
    old.struct_size = MUSTER_STRUCT_SIZE(muster_call, count);
    old.op = MUSTER_BROADCAST;
    old.dtype = MUSTER_U8;
    old.recv_dtype = 0;
    old.redop = 0;
    old.root = 0;
    old.send_memory = old.recv_memory = MUSTER_HOST;
    old.phase = old.flags = 0;
    old.send = send_;
    old.recv = recv_;
    old.count = 1;
    group.execute(old);
  });
  EXPECT_EQ(call.scalar, nullptr);
  EXPECT_EQ(call.stream.kind, uint32_t{MUSTER_STREAM_NONE});
  EXPECT_EQ(call.fused, nullptr);
}

TEST_F(Operations, GivenARecordOfALaterProgramThenItIsMadeUnlessItAsksForWhatIsNotKnownHere) {
  struct Later {
    muster_call call;
    uint64_t later;
  };
  std::string refused;
  const muster_call call = seen_on_rank_1([&](api::Group& group) {
    Later newer{muster_call_init(MUSTER_BROADCAST, MUSTER_U8), 1};
    newer.call.struct_size = sizeof(newer);
    newer.call.send = send_;
    newer.call.recv = recv_;
    newer.call.count = 1;
    try {
      group.execute(newer.call);
    } catch (const api::Error& error) {
      if (group.rank() == 1) refused = error.what();
    }
    newer.later = 0;
    group.execute(newer.call);
  });
  EXPECT_THAT(refused, HasSubstr("UNIMPLEMENTED: broadcast on group group: the record is 168 bytes "
                                 "and sets what this runtime, of ABI 0."));
  EXPECT_EQ(call.struct_size, MUSTER_CALL_SIZE);
}

TEST_F(Operations, GivenZeroCountsThenTheCallsStillTakePart) {
  IdleBackend mock("fast");
  EXPECT_CALL(mock, execute).Times(2 * 5);
  World(2).with(mock).run([](api::Runtime& runtime, uint32_t rank) {
    api::Group group(runtime);
    const uint64_t none[] = {0, 0};
    group.all_reduce(nullptr, nullptr, 0, MUSTER_F32, MUSTER_SUM);
    group.all_gatherv(nullptr, nullptr, none, nullptr, MUSTER_F32);
    group.gatherv(nullptr, 0, nullptr, none, nullptr, MUSTER_F32, 0);
    group.all_to_allv(nullptr, none, nullptr, nullptr, none, nullptr, MUSTER_F32);
    group.send(nullptr, 0, MUSTER_F32, 1 - rank);
  });
}

// ---- in place ----

struct Place {
  const char* name;
  muster_op op;
  // Element offset of recv from send that makes the call in place on rank 1.
  int64_t recv_from_send;
};

class InPlace : public Operations, public ::testing::WithParamInterface<Place> {};

TEST_P(InPlace, GivenTheLayoutThenTheCallIsInPlaceAndOneElementBesideItIsNot) {
  const Place& place = GetParam();
  for (const int64_t beside : {0, 1}) {
    const muster_call seen = seen_on_rank_1([&](api::Group& group) {
      muster_call call = muster_call_init(place.op, MUSTER_I16);
      call.redop = op_reduces(place.op) ? MUSTER_SUM : MUSTER_REDOP_NONE;
      call.count =
          place.op == MUSTER_GATHERV || place.op == MUSTER_SCATTERV ? counts_[group.rank()] : 4;
      call.root = 1;
      call.send_counts = call.recv_counts = counts_;
      call.send_displs = call.recv_displs = displs_;
      auto* const base = reinterpret_cast<int16_t*>(send_) + 64;
      call.send = base;
      call.recv = base + place.recv_from_send + beside;
      group.execute(call);
    });
    EXPECT_EQ((seen.flags & MUSTER_CALL_IN_PLACE) != 0, beside == 0) << beside;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Layouts, InPlace,
    ::testing::Values(
        Place{"all_reduce", MUSTER_ALL_REDUCE, 0}, Place{"reduce", MUSTER_REDUCE, 0},
        Place{"broadcast", MUSTER_BROADCAST, 0}, Place{"all_gather", MUSTER_ALL_GATHER, -4},
        Place{"gather", MUSTER_GATHER, -4}, Place{"reduce_scatter", MUSTER_REDUCE_SCATTER, 4},
        Place{"scatter", MUSTER_SCATTER, 4}, Place{"all_gatherv", MUSTER_ALL_GATHERV, -10},
        Place{"gatherv", MUSTER_GATHERV, -10}, Place{"reduce_scatterv", MUSTER_REDUCE_SCATTERV, 2},
        Place{"scatterv", MUSTER_SCATTERV, 10}, Place{"all_to_all", MUSTER_ALL_TO_ALL, 0},
        Place{"all_to_allv", MUSTER_ALL_TO_ALLV, 0}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(Operations, GivenARootedCallThenOtherRanksAreNeverInPlace) {
  for (const muster_op op : {MUSTER_REDUCE, MUSTER_BROADCAST, MUSTER_GATHER, MUSTER_SCATTER}) {
    const muster_call seen = seen_on_rank_1([&](api::Group& group) {
      muster_call call = muster_call_init(op, MUSTER_I16);
      call.redop = op == MUSTER_REDUCE ? MUSTER_SUM : MUSTER_REDOP_NONE;
      call.count = 4;
      call.root = 0;
      call.send = call.recv = send_;
      group.execute(call);
    });
    EXPECT_EQ(seen.flags & MUSTER_CALL_IN_PLACE, 0u) << op_name(op);
  }
}

TEST_F(Operations, GivenTheFusedOperationOnOneBufferThenItIsInPlace) {
  muster_fused_rmsnorm fused{};
  fused.struct_size = MUSTER_FUSED_RMSNORM_SIZE;
  fused.hidden = 5;
  fused.weight = recv_;
  const muster_call seen = seen_on_rank_1([&](api::Group& group) {
    group.fused_all_reduce_rmsnorm(send_, send_, 10, MUSTER_F16, fused);
  });
  EXPECT_EQ(seen.flags, uint32_t{MUSTER_CALL_IN_PLACE});
  EXPECT_EQ(seen.recv_dtype, uint32_t{MUSTER_DTYPE_NONE});
}

TEST_F(Operations, GivenAQuantisedFusedCallThenItsFlagAndTheDtypeOfItsResultArrive) {
  std::vector<float> scales(5);
  muster_fused_rmsnorm fused{};
  fused.struct_size = MUSTER_FUSED_RMSNORM_SIZE;
  fused.hidden = 10;
  fused.quant_group = 2;
  fused.weight = recv_;
  fused.scale_out = scales.data();
  const muster_call seen = seen_on_rank_1([&](api::Group& group) {
    group.fused_all_reduce_rmsnorm(send_, recv_, 10, MUSTER_F16, fused);
  });
  EXPECT_EQ(seen.flags, uint32_t{MUSTER_CALL_QUANTISED});
  EXPECT_EQ(seen.recv_dtype, uint32_t{MUSTER_F8E4M3});
  EXPECT_EQ(seen.selection_bytes, 20u);
}

}  // namespace
}  // namespace muster::testing

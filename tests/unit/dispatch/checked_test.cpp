// Checked mode: overlapping buffers and calls that differ across ranks are found before anything
// runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "core/dispatch/group.hpp"
#include "tests/unit/dispatch/mocked_group.hpp"

namespace muster::testing {
namespace {

using ::testing::_;
using ::testing::AllOf;
using ::testing::HasSubstr;

class Checked : public ::testing::Test {
 protected:
  // The failures of one call per rank, in a checked group of two.
  std::vector<Failed> failures_of(const std::function<void(api::Group&)>& body) {
    std::vector<Failed> failures(2);
    api::GroupOptions options;
    options.checked = 1;
    with_group(
        2, mock_,
        [&](api::Group& group) {
          failures[group.rank()] = failure_of([&] { body(group); });
          group.barrier();  // the group can still be used
        },
        options);
    return failures;
  }
  void expect_mismatch(const std::function<void(api::Group&)>& body,
                       const std::vector<std::string>& holds) {
    EXPECT_CALL(mock_, execute(_, ::testing::Field(&muster_call::op, uint32_t{MUSTER_BARRIER})))
        .Times(2);
    EXPECT_CALL(mock_, execute(_, ::testing::Field(&muster_call::op,
                                                   ::testing::Ne(uint32_t{MUSTER_BARRIER}))))
        .Times(0);
    for (const Failed& failed : failures_of(body)) {
      EXPECT_EQ(failed.code, MUSTER_MISMATCH) << failed.cause;
      EXPECT_THAT(failed.remedy, HasSubstr("nothing was done"));
      for (const std::string& part : holds) EXPECT_THAT(failed.cause, HasSubstr(part));
    }
  }

  IdleBackend mock_{"fast", 50, kMockStart | kMockBatch};
};

TEST_F(Checked, GivenEqualCallsThenTheyRun) {
  EXPECT_CALL(mock_, execute).Times(4);
  for (const Failed& failed : failures_of([](api::Group& group) {
         group.all_reduce(data, data + 128, 5, MUSTER_I32, MUSTER_SUM);
       }))
    EXPECT_EQ(failed.code, MUSTER_OK) << failed.cause;
}

TEST_F(Checked, GivenCountsThatDifferThenBothRanksHearBothSizes) {
  expect_mismatch(
      [](api::Group& group) {
        group.all_reduce(data, data + 128, 5 + group.rank(), MUSTER_I32, MUSTER_SUM);
      },
      {"rank 0: all_reduce i32 sum 20 bytes", "rank 1: all_reduce i32 sum 24 bytes"});
}

TEST_F(Checked, GivenOperationsThatDifferThenBothAreNamed) {
  expect_mismatch(
      [](api::Group& group) {
        if (group.rank() == 0) {
          group.broadcast(data, data + 128, 5, MUSTER_I32, 1);
        } else {
          group.all_gather(data, data + 128, 5, MUSTER_I32);
        }
      },
      {"rank 0: broadcast i32 root 1", "rank 1: all_gather i32"});
}

TEST_F(Checked, GivenDtypesReduceOperationsRootsAndPlacesThatDifferThenTheyAreNamed) {
  expect_mismatch(
      [](api::Group& group) {
        group.all_reduce(data, data + 128, 4, group.rank() == 0 ? MUSTER_I32 : MUSTER_F32,
                         MUSTER_SUM);
      },
      {"all_reduce i32", "all_reduce f32"});
}
TEST_F(Checked, GivenReduceOperationsThatDifferThenTheyAreNamed) {
  expect_mismatch(
      [](api::Group& group) {
        group.all_reduce(data, data + 128, 4, MUSTER_I32,
                         group.rank() == 0 ? MUSTER_MAX : MUSTER_MIN);
      },
      {"i32 max", "i32 min"});
}
TEST_F(Checked, GivenRootsThatDifferThenTheyAreNamed) {
  expect_mismatch(
      [](api::Group& group) {
        group.reduce(data, data + 128, 4, MUSTER_I32, MUSTER_MAX, group.rank());
      },
      {"root 0", "root 1"});
}
TEST_F(Checked, GivenOneRankInPlaceThenThatIsNamed) {
  expect_mismatch(
      [](api::Group& group) {
        group.all_reduce(data, group.rank() == 0 ? data : data + 128, 4, MUSTER_I32, MUSTER_MAX);
      },
      {"rank 0: all_reduce i32 max 16 bytes in place", "out of place"});
}
TEST_F(Checked, GivenAScalarOnOneRankThenThatIsNamed) {
  expect_mismatch(
      [](api::Group& group) {
        const int factor = 2;
        api::Options options;
        options.scalar = group.rank() == 1 ? &factor : nullptr;
        group.all_reduce(data, data + 128, 4, MUSTER_I32, MUSTER_SUM, options);
      },
      {"rank 1: all_reduce i32 sum 16 bytes out of place host memory scaled"});
}

TEST_F(Checked, GivenARootedCallThenOnlyTheRootMayBeInPlace) {
  EXPECT_CALL(mock_, execute).Times(4);
  for (const Failed& failed : failures_of([](api::Group& group) {
         group.broadcast(data, group.rank() == 0 ? data : data + 128, 4, MUSTER_I32, 0);
       }))
    EXPECT_EQ(failed.code, MUSTER_OK) << failed.cause;
}

TEST_F(Checked, GivenAnOverlapOnOneRankThenItHearsOfItAndTheOthersOfIt) {
  EXPECT_CALL(mock_, execute).Times(2);  // the barriers
  const std::vector<Failed> failures = failures_of([](api::Group& group) {
    group.all_reduce(data, data + (group.rank() == 1 ? 4 : 128), 5, MUSTER_I32, MUSTER_SUM);
  });
  EXPECT_EQ(failures[1].code, MUSTER_INVALID_ARGUMENT);
  EXPECT_THAT(failures[1].cause, HasSubstr("send (20 bytes) and recv (20 bytes) overlap"));
  EXPECT_EQ(failures[0].code, MUSTER_MISMATCH);
  EXPECT_THAT(failures[0].cause, AllOf(HasSubstr("rank 1: fault: "), HasSubstr("overlap")));
}

TEST_F(Checked, GivenBuffersThatTouchThenThatIsNoOverlap) {
  for (const Failed& failed : failures_of([](api::Group& group) {
         group.all_reduce(data, data + 5, 5, MUSTER_I32, MUSTER_SUM);
         group.all_reduce(data + 5, data, 5, MUSTER_I32, MUSTER_SUM);
         group.all_gather(data, data + 5, 5, MUSTER_I32);
         group.reduce_scatter(data, data + 10, 5, MUSTER_I32, MUSTER_SUM);
       }))
    EXPECT_EQ(failed.code, MUSTER_OK) << failed.cause;
}

TEST_F(Checked, GivenOverlapsOfEveryOperationThenTheyAreFound) {
  const uint64_t counts[] = {5, 5};
  const std::vector<std::function<void(api::Group&)>> calls = {
      [&](api::Group& g) { g.all_gather(data, data + 4, 5, MUSTER_I32); },
      [&](api::Group& g) { g.reduce_scatter(data, data + 9, 5, MUSTER_I32, MUSTER_SUM); },
      [&](api::Group& g) { g.all_to_all(data, data + 9, 5, MUSTER_I32); },
      [&](api::Group& g) { g.all_gatherv(data, data + 4, counts, nullptr, MUSTER_I32); },
      [&](api::Group& g) { g.reduce_scatterv(data, data + 9, counts, MUSTER_I32, MUSTER_SUM); },
      [&](api::Group& g) {
        g.all_to_allv(data, counts, nullptr, data + 9, counts, nullptr, MUSTER_I32);
      },
      [&](api::Group& g) { g.send_recv(data, 5, 0, data + 4, 5, 0, MUSTER_I32); },
  };
  for (size_t i = 0; i < calls.size(); ++i) {
    for (const Failed& failed : failures_of(calls[i])) {
      EXPECT_EQ(failed.code, MUSTER_INVALID_ARGUMENT) << i;
      EXPECT_THAT(failed.cause, HasSubstr("overlap")) << i;
    }
  }
}

class CheckedMemory : public Checked {
 protected:
  static api::Options symmetric() {
    api::Options options;
    options.flags = MUSTER_CALL_SYMMETRIC;
    return options;
  }
  const CapturedLog log_;  // calls that fail leave their buffer to the group
};

TEST_F(CheckedMemory, GivenSymmetricCallsInsideTheGroupsMemoryThenTheyRun) {
  for (const Failed& failed : failures_of([](api::Group& group) {
         api::Buffer<int> memory(group, 64);
         group.all_reduce(memory.data() + 3, memory.data() + 32, 10, MUSTER_I32, MUSTER_SUM,
                          symmetric());
         group.all_gather(memory.data(), memory.data() + 44, 10, MUSTER_I32, symmetric());
         // Only the root has a result.
         group.gather(memory.data(), group.rank() == 1 ? memory.data() + 44 : nullptr, 10,
                      MUSTER_I32, 1, symmetric());
         group.mem_register(data, 512);
         group.all_reduce(data, data + 64, 64, MUSTER_I32, MUSTER_SUM, symmetric());
         group.mem_deregister(data);
       }))
    EXPECT_EQ(failed.code, MUSTER_OK) << failed.cause;
}

TEST_F(CheckedMemory, GivenABufferThatLiesOutsideOnOneRankThenThatRankAndTheOthersAreTold) {
  const auto failures = failures_of([](api::Group& group) {
    api::Buffer<int> memory(group, 64);
    // The last element is one too far.
    group.all_reduce(memory.data(), memory.data() + (group.rank() == 1 ? 55 : 54), 10, MUSTER_I32,
                     MUSTER_SUM, symmetric());
  });
  EXPECT_EQ(failures[1].code, MUSTER_INVALID_ARGUMENT);
  EXPECT_THAT(failures[1].cause, HasSubstr("says MUSTER_CALL_SYMMETRIC, but recv (40 bytes at"));
  EXPECT_EQ(failures[0].code, MUSTER_MISMATCH);
  EXPECT_THAT(failures[0].cause, HasSubstr("rank 1: fault: "));
}

TEST_F(CheckedMemory, GivenMessagesThenTheirBuffersAreLookedAtToo) {
  for (const Failed& failed : failures_of([](api::Group& group) {
         const uint32_t peer = 1 - group.rank();
         if (group.rank() == 0) {
           group.send(data, 4, MUSTER_I32, peer, symmetric());
         } else {
           group.recv(data, 4, MUSTER_I32, peer, symmetric());
         }
       })) {
    EXPECT_EQ(failed.code, MUSTER_INVALID_ARGUMENT) << failed.cause;
    EXPECT_THAT(failed.cause, HasSubstr("(16 bytes at"));
  }
}

TEST_F(CheckedMemory, GivenTheFlagOnOneRankThenThatIsNamed) {
  expect_mismatch(
      [](api::Group& group) {
        api::Buffer<int> memory(group, 64);
        group.all_reduce(memory.data(), memory.data() + 32, 4, MUSTER_I32, MUSTER_SUM,
                         group.rank() == 1 ? symmetric() : api::Options());
      },
      {"rank 1: all_reduce i32 sum 16 bytes out of place host memory symmetric"});
}

// A plain fused call of two rows of eight on the parts of `data`; a change makes it wrong.
void fused(api::Group& group,
           const std::function<void(muster_fused_rmsnorm&, muster_call&)>& change) {
  muster_fused_rmsnorm operands{};
  operands.struct_size = MUSTER_FUSED_RMSNORM_SIZE;
  operands.hidden = 8;
  operands.residual = operands.residual_out = data + 32;
  operands.weight = data + 64;
  operands.scale_out = reinterpret_cast<float*>(data + 96);
  operands.epsilon = 1e-5;
  muster_call call = muster_call_init(MUSTER_FUSED_ALL_REDUCE_RMSNORM, MUSTER_F32);
  call.redop = MUSTER_SUM;
  call.send = data;
  call.recv = data + 16;
  call.count = 16;
  call.fused = &operands;
  change(operands, call);
  group.execute(call);
}

TEST_F(Checked, GivenFusedCallsInAllTheirPlacesThenThatIsNoOverlap) {
  for (const Failed& failed : failures_of([](api::Group& group) {
         fused(group, [](auto&, auto&) {});
         fused(group, [](auto&, auto& c) { c.recv = data; });
         fused(group, [](auto& f, auto&) { f.residual_out = data + 48; });
         // One byte per element: what would overlap otherwise.
         fused(group, [](auto& f, auto& c) {
           f.quant_group = 4;
           c.recv = data + 28;
         });
       }))
    EXPECT_EQ(failed.code, MUSTER_OK) << failed.cause;
}

TEST_F(Checked, GivenAFusedOutputOverAnythingElseThenBothAreNamed) {
  using Change = std::function<void(muster_fused_rmsnorm&, muster_call&)>;
  const std::vector<std::pair<Change, std::string>> wrong = {
      {[](auto&, auto& c) { c.recv = data + 8; }, "send (64 bytes) and recv (64 bytes)"},
      {[](auto&, auto& c) { c.recv = data + 40; }, "recv (64 bytes) and residual (64 bytes)"},
      {[](auto&, auto& c) { c.recv = data + 64; }, "recv (64 bytes) and weight (32 bytes)"},
      {[](auto& f, auto&) { f.residual_out = data + 36; }, "residual_out (64 bytes) and residual"},
      {[](auto& f, auto&) { f.residual_out = data; }, "residual_out (64 bytes) and send"},
      {[](auto& f, auto&) {
         f.quant_group = 4;
         f.scale_out = reinterpret_cast<float*>(data + 66);
       },
       "scale_out (16 bytes) and weight"},
      {[](auto& f, auto& c) {
         f.quant_group = 4;
         c.recv = data + 29;
       },
       "recv (16 bytes) and residual"},
  };
  for (const auto& [change, says] : wrong) {
    for (const Failed& failed : failures_of([&](api::Group& group) { fused(group, change); })) {
      EXPECT_EQ(failed.code, MUSTER_INVALID_ARGUMENT) << says;
      EXPECT_THAT(failed.cause, AllOf(HasSubstr(says), HasSubstr("overlap")));
    }
  }
}

TEST_F(Checked, GivenFusedOperandsThatDifferThenTheyAreNamed) {
  const int other[16] = {1};
  const auto on_rank_1 = [&](auto change, const std::string& says) {
    ::testing::Mock::VerifyAndClearExpectations(&mock_);
    expect_mismatch(
        [&](api::Group& group) {
          fused(group, [&](muster_fused_rmsnorm& f, muster_call&) {
            if (group.rank() == 1) change(f);
          });
        },
        {"rank 0: fused_all_reduce_rmsnorm f32 sum", says});
  };
  on_rank_1([](auto& f) { f.hidden = 4; }, "hidden 4");
  on_rank_1([](auto& f) { f.epsilon = 0.5; }, "epsilon 0.5");
  on_rank_1([](auto& f) { f.quant_group = 8; }, "quant_group 8");
  on_rank_1([](auto& f) { f.residual = nullptr; }, "without residual");
  on_rank_1([](auto& f) { f.residual_out = nullptr; }, "without residual_out");
  on_rank_1([&](auto& f) { f.residual = other; }, " residual ");
  on_rank_1([&](auto& f) { f.weight = other; }, " weight ");
}

TEST_F(Checked, GivenMessagesThenTheyAreNotCompared) {
  EXPECT_CALL(mock_, execute).Times(4);
  for (const Failed& failed : failures_of([](api::Group& group) {
         if (group.rank() == 0) {
           group.send(data, 4, MUSTER_I32, 1);
         } else {
           group.recv(data, 4, MUSTER_I32, 0);
         }
       }))
    EXPECT_EQ(failed.code, MUSTER_OK) << failed.cause;
}

TEST_F(Checked, GivenStartedCallsThatDifferThenTheirWorkTells) {
  expect_mismatch(
      [](api::Group& group) {
        group.start(all_reduce_of(data, data + 128, 5 + group.rank())).wait();
      },
      {"20 bytes", "24 bytes"});
}

TEST_F(Checked, GivenABatchThatDiffersThenNothingOfItRuns) {
  EXPECT_CALL(mock_, execute_batch).Times(0);
  expect_mismatch(
      [](api::Group& group) {
        const muster_call calls[] = {all_reduce_of(data, data + 128, 5),
                                     all_reduce_of(data, data + 128, 5 + group.rank())};
        group.batch(calls, 2);
      },
      {"20 bytes", "24 bytes"});
}

TEST_F(Checked, GivenPlansThatDifferThenTheirRunsTell) {
  expect_mismatch(
      [](api::Group& group) {
        group.plan(all_reduce_of(data, data + 128, 5 + group.rank())).run();
      },
      {"20 bytes", "24 bytes"});
}

TEST_F(Checked, GivenTheConfigurationAsksForItThenEveryGroupIsChecked) {
  World(2)
      .with(mock_)
      .config(
          "[plugins]\ninstalled = false\nprobe = \"in-process\"\n[check]\nknown_answer = "
          "false\ncalls = true\n")
      .run([](api::Runtime& runtime, uint32_t) {
        api::Group group(runtime);
        EXPECT_EQ(failure_of([&] {
                    group.all_reduce(data, data + 128, 5 + group.rank(), MUSTER_I32, MUSTER_SUM);
                  }).code,
                  MUSTER_MISMATCH);
      });
}

TEST_F(Checked, GivenALongPauseSinceTheLastCallThenTheComparisonHasADeadlineOfItsOwn) {
  EXPECT_CALL(mock_, execute).Times(4);
  for (const Failed& failed : failures_of([](api::Group& group) {
         // As if the last operation had waited, and ended, long ago.
         group.get()->context.deadline_ns = 1;
         group.all_reduce(data, data + 128, 5, MUSTER_I32, MUSTER_SUM);
       }))
    EXPECT_EQ(failed.code, MUSTER_OK) << failed.cause;
}

TEST_F(Checked, GivenARankThatDoesNotComeThenTheCallIsNamedAndTheGroupIsBroken) {
  EXPECT_CALL(mock_, execute).Times(0);
  api::GroupOptions options;
  options.checked = 1;
  std::promise<void> over;
  with_group(
      2, mock_,
      [&](api::Group& group) {
        if (group.rank() == 1) return over.get_future().wait();
        group.get()->context.timeout_ns = 20'000'000;  // after the set-up, which has time enough
        const auto call = [&] { group.all_reduce(data, data + 128, 5, MUSTER_I32, MUSTER_SUM); };
        const Failed failed = failure_of(call);
        EXPECT_EQ(failed.code, MUSTER_DEADLINE_EXCEEDED);
        EXPECT_THAT(failed.cause, HasSubstr("comparing all_reduce across the ranks of group"));
        EXPECT_THAT(failure_of(call).cause, HasSubstr("is broken"));
        over.set_value();
      },
      options);
}

TEST_F(Checked, GivenTwoThreadsInOneGroupThenTheSecondIsToldAndTheFirstGoesOn) {
  std::promise<void> entered;
  std::promise<void> open;
  const std::shared_future<void> gate = open.get_future().share();
  ON_CALL(mock_, execute).WillByDefault([&](MockGroup& group, const muster_call& call) {
    if (group.rank() != 0 || call.op != MUSTER_ALL_REDUCE) return;
    entered.set_value();
    gate.wait();
  });
  EXPECT_CALL(mock_, execute).Times(4);  // an all_reduce and a barrier of each rank
  for (const Failed& failed : failures_of([&](api::Group& group) {
         const auto call = [&] { group.all_reduce(data, data + 128, 5, MUSTER_I32, MUSTER_SUM); };
         if (group.rank() != 0) return call();
         std::thread first(call);
         entered.get_future().wait();
         const Failed second = failure_of(call);
         open.set_value();
         first.join();
         EXPECT_EQ(second.code, MUSTER_FAILED_PRECONDITION);
         EXPECT_THAT(second.cause, HasSubstr("two threads call on group group"));
       })) {
    EXPECT_EQ(failed.code, MUSTER_OK) << failed.cause;
  }
}

}  // namespace
}  // namespace muster::testing

// A group of one: every operation without any backend.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/base/names.hpp"
#include "core/kernels/registry.hpp"
#include "muster/testing/world.hpp"
#include "tests/unit/compose/operands.hpp"

namespace muster::testing {
namespace {

using ::testing::HasSubstr;

void alone(const std::function<void(api::Group&)>& body) {
  World(1).run([&](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime);
    body(group);
  });
}

TEST(Self, GivenAnyOperationInEveryShapeThenItIsRightAndServedByNoPlugin) {
  alone([](api::Group& group) {
    for (muster_op op = MUSTER_ALL_REDUCE; op < MUSTER_OP_END; ++op) {
      if (op == MUSTER_FUSED_ALL_REDUCE_RMSNORM || op == MUSTER_SEND || op == MUSTER_RECV) continue;
      for (muster_dtype dtype = MUSTER_I8; dtype < MUSTER_DTYPE_END; ++dtype) {
        for (muster_redop redop = MUSTER_SUM; redop < MUSTER_REDOP_END; ++redop) {
          if (op_reduces(op) ? host_reduce(dtype, redop) == nullptr : redop != MUSTER_SUM) continue;
          for (const uint64_t count : {uint64_t{0}, uint64_t{3}}) {
            for (const bool in_place : {false, true}) {
              for (const bool displaced : {false, true}) {
                if (in_place && op == MUSTER_SEND_RECV) continue;
                const Shape shape{op, dtype, redop, count, 0, in_place, displaced};
                const Operands operands(shape, 0, 1);
                ASSERT_EQ(group.backend(operands.call()), "self");
                group.execute(operands.call());
                ASSERT_EQ(operands.bytes(), Operands::expected(shape, 0, 1))
                    << op_name(op) << " " << dtype_name(dtype) << " " << redop_name(redop) << " "
                    << count << (in_place ? " in place" : "") << (displaced ? " displaced" : "");
              }
            }
          }
        }
      }
    }
  });
}

TEST(Self, GivenSumsOfSmallFloatsThenTheyAreCopied) {
  alone([](api::Group& group) {
    const std::vector<api::f8e4m3> send = {{0x38}, {0x7e}};
    std::vector<api::f8e4m3> recv(2);
    group.all_reduce(send.data(), recv.data(), 2, MUSTER_SUM);
    EXPECT_EQ(recv[0].bits, 0x38);
    EXPECT_EQ(recv[1].bits, 0x7e);
  });
}

TEST(Self, GivenAScalarThenTheSumIsScaledAndWhereThereIsNoKernelThatIsSaid) {
  alone([](api::Group& group) {
    const float half = 0.5f;
    api::Options scaled;
    scaled.scalar = &half;
    std::vector<float> data = {2, 4};
    group.all_reduce(data.data(), data.data(), 2, MUSTER_SUM, scaled);
    EXPECT_EQ(data, (std::vector<float>{1, 2}));
    std::vector<api::f8e4m3> small(2);
    try {
      group.all_reduce(small.data(), small.data(), 2, MUSTER_SUM, scaled);
      FAIL() << "there is no kernel for it";
    } catch (const api::Error& error) {
      EXPECT_EQ(error.code(), MUSTER_UNAVAILABLE);
      EXPECT_THAT(error.cause(), HasSubstr("f8e4m3"));
    }
  });
}

TEST(Self, GivenTheFusedOperationThenItIsComposedOfTheCopyAndTheNorm) {
  alone([](api::Group& group) {
    const std::vector<float> send = {3, 4};
    const std::vector<float> weight = {1, 2};
    std::vector<float> recv(2);
    muster_fused_rmsnorm fused{};
    fused.struct_size = MUSTER_FUSED_RMSNORM_SIZE;
    fused.hidden = 2;
    fused.weight = weight.data();
    group.fused_all_reduce_rmsnorm(send.data(), recv.data(), 2, MUSTER_F32, fused);
    const float norm = std::sqrt((9.0f + 16.0f) / 2.0f);
    EXPECT_FLOAT_EQ(recv[0], 3 / norm);
    EXPECT_FLOAT_EQ(recv[1], 8 / norm);
  });
}

muster_call message(muster_op op, const void* send, void* recv, uint64_t count,
                    muster_dtype dtype = MUSTER_I32) {
  muster_call call = muster_call_init(op, dtype);
  call.send = send;
  call.recv = recv;
  call.count = count;
  return call;
}

TEST(Self, GivenABatchToOneselfThenSendsMeetReceivesInOrder) {
  alone([](api::Group& group) {
    const int sent[] = {1, 2, 3};
    int first = 0;
    int rest[2] = {};
    int copied = 0;
    const muster_call calls[] = {
        message(MUSTER_RECV, nullptr, &first, 1), message(MUSTER_SEND, &sent[0], nullptr, 1),
        message(MUSTER_SEND, &sent[1], nullptr, 2), message(MUSTER_RECV, nullptr, rest, 2),
        message(MUSTER_BROADCAST, &sent[2], &copied, 1)};
    group.batch(calls, 5);
    EXPECT_EQ(first, 1);
    EXPECT_EQ(rest[0], 2);
    EXPECT_EQ(rest[1], 3);
    EXPECT_EQ(copied, 3);
    group.batch(nullptr, 0);
  });
}

TEST(Self, GivenABatchWithoutAPartnerOrOfAnotherSizeThenItSaysSo) {
  alone([](api::Group& group) {
    int data[4] = {};
    const auto refused = [&](std::vector<muster_call> calls) {
      try {
        group.batch(calls.data(), static_cast<uint32_t>(calls.size()));
        return std::pair(muster_code{MUSTER_OK}, std::string());
      } catch (const api::Error& error) {
        return std::pair(error.code(), error.cause());
      }
    };
    const auto lonely = refused({message(MUSTER_SEND, data, nullptr, 1)});
    EXPECT_EQ(lonely.first, MUSTER_INVALID_ARGUMENT);
    EXPECT_THAT(lonely.second, HasSubstr("1 sends and 0 receives"));
    const auto unequal = refused(
        {message(MUSTER_SEND, data, nullptr, 1), message(MUSTER_RECV, nullptr, &data[1], 2)});
    EXPECT_EQ(unequal.first, MUSTER_MISMATCH);
    EXPECT_THAT(unequal.second, HasSubstr("4 bytes meets a receive of 8"));
  });
}

TEST(Self, GivenASendToOneselfOutsideABatchThenItIsRefusedForItCouldNeverEnd) {
  alone([](api::Group& group) {
    int data = 0;
    for (const auto& call :
         {message(MUSTER_SEND, &data, nullptr, 1), message(MUSTER_RECV, nullptr, &data, 1)}) {
      try {
        group.execute(call);
        FAIL() << op_name(call.op);
      } catch (const api::Error& error) {
        EXPECT_EQ(error.code(), MUSTER_INVALID_ARGUMENT);
        EXPECT_THAT(error.cause(), HasSubstr("could never end"));
      }
    }
  });
}

TEST(Self, GivenPhasesStartedCallsAndPlansThenTheyWorkAlone) {
  alone([](api::Group& group) {
    const int send = 7;
    int recv = 0;
    const muster_call call = message(MUSTER_BROADCAST, &send, &recv, 1);
    group.start(call).wait();
    EXPECT_EQ(recv, 7);
    for (const muster_phase phase :
         {MUSTER_GRAPH_WARMUP, MUSTER_GRAPH_CAPTURE, MUSTER_GRAPH_PIECEWISE}) {
      recv = 0;
      group.graph_begin(phase);
      group.execute(call);
      group.graph_end(true);
      EXPECT_EQ(recv, 7);
    }
    recv = 0;
    group.plan(call).run();
    EXPECT_EQ(recv, 7);
  });
}

}  // namespace
}  // namespace muster::testing

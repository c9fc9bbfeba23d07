// Wrong calls: refused with cause and remedy before any backend hears of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/base/names.hpp"
#include "tests/unit/dispatch/mocked_group.hpp"

namespace muster::testing {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMany = UINT64_MAX / 2;
int buffers[2][64];
int* const kSend = buffers[0];
int* const kRecv = buffers[1];
const uint64_t kCounts[2] = {1, 1};
const uint64_t kHuge[2] = {kMany, kMany};
const uint64_t kUneven[2] = {1, 2};
float scales[8];
const muster_fused_rmsnorm kFused = [] {
  muster_fused_rmsnorm fused{};
  fused.struct_size = MUSTER_FUSED_RMSNORM_SIZE;
  fused.hidden = 4;
  fused.weight = buffers[0];
  return fused;
}();
muster_fused_rmsnorm fused_with(void (*change)(muster_fused_rmsnorm&)) {
  muster_fused_rmsnorm fused = kFused;
  change(fused);
  return fused;
}

struct Wrong {
  const char* name;
  muster_status* (*call)(muster_group* group);
  muster_code code;
  const char* says;
};

class Refusals : public ::testing::TestWithParam<Wrong> {};

TEST_P(Refusals, GivenAWrongCallThenItIsRefusedAndNothingIsExecuted) {
  IdleBackend mock("fast");
  EXPECT_CALL(mock, execute).Times(0);
  with_group(2, mock, [](api::Group& group) {
    const Failed failed = failure_of([&] { api::check(GetParam().call(group.get())); });
    EXPECT_EQ(failed.code, GetParam().code) << failed.cause;
    EXPECT_THAT(failed.cause, HasSubstr(GetParam().says));
    EXPECT_FALSE(failed.remedy.empty()) << failed.cause;
  });
}

#define MUSTER_WRONG(name, expression, code, says)                                 \
  Wrong {                                                                          \
    name, [](muster_group* g) -> muster_status* { return expression; }, code, says \
  }

INSTANTIATE_TEST_SUITE_P(Arguments, Refusals,
                         ::
                             testing::
                                 Values(MUSTER_WRONG("dtype_none",
                                                     muster_all_reduce(g, kSend, kRecv, 1,
                                                                       MUSTER_DTYPE_NONE,
                                                                       MUSTER_SUM, nullptr),
                                                     MUSTER_INVALID_ARGUMENT, "dtype 0 is unknown"),
                                        MUSTER_WRONG("dtype_end",
                                                     muster_broadcast(g, kSend, kRecv, 1,
                                                                      MUSTER_DTYPE_END, 0, nullptr),
                                                     MUSTER_INVALID_ARGUMENT,
                                                     "dtype 16 is unknown"),
                                        MUSTER_WRONG("redop_none",
                                                     muster_all_reduce(g, kSend, kRecv, 1,
                                                                       MUSTER_I32,
                                                                       MUSTER_REDOP_NONE, nullptr),
                                                     MUSTER_INVALID_ARGUMENT,
                                                     "reduce operation 0 is unknown"),
                                        MUSTER_WRONG("redop_end",
                                                     muster_reduce(g, kSend, kRecv, 1, MUSTER_I32,
                                                                   MUSTER_REDOP_END, 0, nullptr),
                                                     MUSTER_INVALID_ARGUMENT,
                                                     "reduce operation 12 is unknown"),
                                        MUSTER_WRONG("bitwise_floats",
                                                     muster_reduce_scatter(g, kSend, kRecv, 1,
                                                                           MUSTER_F32, MUSTER_BXOR,
                                                                           nullptr),
                                                     MUSTER_INVALID_ARGUMENT,
                                                     "bxor is not defined for f32"),
                                        MUSTER_WRONG("logical_floats",
                                                     muster_reduce_scatterv(g, kSend, kRecv,
                                                                            kCounts, MUSTER_BF16,
                                                                            MUSTER_LAND, nullptr),
                                                     MUSTER_INVALID_ARGUMENT,
                                                     "land is not defined for bf16"),
                                        MUSTER_WRONG(
                                            "root_reduce",
                                            muster_reduce(
                                                g,
                                                kSend, kRecv, 1, MUSTER_I32, MUSTER_SUM, 2, nullptr),
                                            MUSTER_INVALID_ARGUMENT, "root 2 is outside the group"),
                                        MUSTER_WRONG("root_broadcast",
                                                     muster_broadcast(g,
                                                                      kSend, kRecv, 1, MUSTER_I32, 9, nullptr),
                                                     MUSTER_INVALID_ARGUMENT, "root 9"),
                                        MUSTER_WRONG(
                                            "root_gather",
                                            muster_gather(g,
                                                          kSend, kRecv, 1, MUSTER_I32, 2, nullptr),
                                            MUSTER_INVALID_ARGUMENT, "root 2"),
                                        MUSTER_WRONG(
                                            "root_gatherv", muster_gatherv(g, kSend, 1, kRecv, kCounts, nullptr, MUSTER_I32, 2, nullptr),
                                            MUSTER_INVALID_ARGUMENT, "root 2"),
                                        MUSTER_WRONG(
                                            "root_scatter", muster_scatter(g, kSend, kRecv, 1, MUSTER_I32, 2, nullptr),
                                            MUSTER_INVALID_ARGUMENT, "root 2"),
                                        MUSTER_WRONG("root_scatterv",
                                                     muster_scatterv(
                                                         g,
                                                         kSend, kCounts, nullptr, kRecv, 1, MUSTER_I32, 2, nullptr),
                                                     MUSTER_INVALID_ARGUMENT, "root 2"),
                                        MUSTER_WRONG(
                                            "peer_send",
                                            muster_send(g, kSend, 1, MUSTER_I32, 2, nullptr),
                                            MUSTER_INVALID_ARGUMENT, "peer 2 is outside the group"),
                                        MUSTER_WRONG(
                                            "peer_recv",
                                            muster_recv(g, kRecv, 1, MUSTER_I32, 2, nullptr),
                                            MUSTER_INVALID_ARGUMENT, "peer 2"),
                                        MUSTER_WRONG("peer_send_recv",
                                                     muster_send_recv(g,
                                                                      kSend, 1, 0, kRecv, 1, 5, MUSTER_I32, nullptr),
                                                     MUSTER_INVALID_ARGUMENT, "peer 5"),
                                        MUSTER_WRONG("send_to_self",
                                                     muster_send(g, kSend, 1, MUSTER_I32,
                                                                 muster_group_rank(g), nullptr),
                                                     MUSTER_INVALID_ARGUMENT, "could never end"),
                                        MUSTER_WRONG("recv_from_self",
                                                     muster_recv(g, kRecv, 1,
                                                                 MUSTER_I32, muster_group_rank(g), nullptr),
                                                     MUSTER_INVALID_ARGUMENT, "could never end"),
                                        MUSTER_WRONG(
                                            "count_all_reduce",
                                            muster_all_reduce(g,
                                                              kSend, kRecv, kMany, MUSTER_I32, MUSTER_SUM, nullptr),
                                            MUSTER_OUT_OF_RANGE, "do not fit in 63 bits"),
                                        MUSTER_WRONG(
                                            "count_all_gather",  // fits for one rank, not for two
                                            muster_all_gather(g, kSend, kRecv,
                                                              UINT64_MAX / 4, MUSTER_I16, nullptr),
                                            MUSTER_OUT_OF_RANGE, "do not fit in 63 bits"),
                                        MUSTER_WRONG("count_send",
                                                     muster_send(
                                                         g, kSend, UINT64_MAX,
                                                         MUSTER_I32, 1 - muster_group_rank(g), nullptr),
                                                     MUSTER_OUT_OF_RANGE, "do not fit in 63 bits"),
                                        MUSTER_WRONG(
                                            "count_recv_of_send_recv",
                                            muster_send_recv(g, kSend, 1, 0, kRecv,
                                                             UINT64_MAX, 0, MUSTER_I32, nullptr),
                                            MUSTER_OUT_OF_RANGE, "do not fit in 63 bits"),
                                        MUSTER_WRONG(
                                            "counts_null_all_gatherv",
                                            muster_all_gatherv(g,
                                                               kSend, kRecv, nullptr, nullptr, MUSTER_I32, nullptr),
                                            MUSTER_INVALID_ARGUMENT, "counts vector"),
                                        MUSTER_WRONG("counts_null_reduce_scatterv",
                                                     muster_reduce_scatterv(
                                                         g, kSend,
                                                         kRecv, nullptr, MUSTER_I32, MUSTER_SUM, nullptr),
                                                     MUSTER_INVALID_ARGUMENT, "counts vector"),
                                        MUSTER_WRONG("counts_overflow_all_gatherv",
                                                     muster_all_gatherv(
                                                         g, kSend, kRecv,
                                                         kHuge, nullptr, MUSTER_I32, nullptr),
                                                     MUSTER_INVALID_ARGUMENT, "counts vector"),
                                        MUSTER_WRONG("displs_overflow",
                                                     muster_all_gatherv(g, kSend, kRecv, kCounts,
                                                                        kHuge, MUSTER_I32, nullptr),
                                                     MUSTER_INVALID_ARGUMENT, "counts vector"),
                                        MUSTER_WRONG("counts_null_send_of_all_to_allv",
                                                     muster_all_to_allv(
                                                         g, kSend,
                                                         nullptr, nullptr, kRecv, kCounts, nullptr, MUSTER_I32, nullptr),
                                                     MUSTER_INVALID_ARGUMENT, "counts vector"),
                                        MUSTER_WRONG("counts_null_recv_of_all_to_allv",
                                                     muster_all_to_allv(
                                                         g, kSend,
                                                         kCounts, nullptr, kRecv, nullptr, nullptr, MUSTER_I32, nullptr),
                                                     MUSTER_INVALID_ARGUMENT, "counts vector"),
                                        MUSTER_WRONG(
                                            "counts_null_on_root_of_gatherv",
                                            muster_gatherv(
                                                g, kSend, 1, kRecv, nullptr, nullptr, MUSTER_I32, muster_group_rank(g), nullptr),
                                            MUSTER_INVALID_ARGUMENT, "counts vector"),
                                        MUSTER_WRONG("counts_null_on_root_of_scatterv",
                                                     muster_scatterv(
                                                         g, kSend,
                                                         nullptr, nullptr, kRecv, 1, MUSTER_I32, muster_group_rank(g), nullptr),
                                                     MUSTER_INVALID_ARGUMENT, "counts vector"),
                                        MUSTER_WRONG(
                                            "count_of_root_differs_in_gatherv",
                                            muster_gatherv(g, kSend,
                                                           5, kRecv, kCounts, nullptr, MUSTER_I32, muster_group_rank(g), nullptr),
                                            MUSTER_INVALID_ARGUMENT, "another count than the call"),
                                        MUSTER_WRONG("own_part_differs_in_all_to_allv",
                                                     muster_all_to_allv(
                                                         g, kSend,
                                                         muster_group_rank(g) == 0 ? kHuge : kUneven,
                                                         nullptr, kRecv,
                                                         kCounts, nullptr, MUSTER_I32, nullptr),
                                                     MUSTER_INVALID_ARGUMENT, "counts vector"),
                                        MUSTER_WRONG(
                                            "send_null",
                                            muster_all_reduce(g, nullptr, kRecv, 1, MUSTER_I32,
                                                              MUSTER_SUM, nullptr),
                                            MUSTER_INVALID_ARGUMENT, "send is NULL"),
                                        MUSTER_WRONG(
                                            "recv_null",
                                            muster_all_reduce(g, kSend, nullptr, 1,
                                                              MUSTER_I32, MUSTER_SUM, nullptr),
                                            MUSTER_INVALID_ARGUMENT, "recv is NULL"),
                                        MUSTER_WRONG("recv_null_all_gather",
                                                     muster_all_gather(g, kSend, nullptr, 1,
                                                                       MUSTER_I32, nullptr),
                                                     MUSTER_INVALID_ARGUMENT, "recv is NULL"),
                                        MUSTER_WRONG("send_null_reduce_scatter",
                                                     muster_reduce_scatter(g, nullptr, kRecv,
                                                                           1, MUSTER_I32, MUSTER_SUM, nullptr),
                                                     MUSTER_INVALID_ARGUMENT, "send is NULL"),
                                        MUSTER_WRONG("recv_null_all_gatherv",
                                                     muster_all_gatherv(
                                                         g, kSend,
                                                         nullptr, kCounts, nullptr, MUSTER_I32, nullptr),
                                                     MUSTER_INVALID_ARGUMENT, "recv is NULL"),
                                        MUSTER_WRONG("recv_null_all_to_all",
                                                     muster_all_to_all(g, kSend, nullptr, 1,
                                                                       MUSTER_I32, nullptr),
                                                     MUSTER_INVALID_ARGUMENT, "recv is NULL"),
                                        MUSTER_WRONG("send_null_all_to_allv",
                                                     muster_all_to_allv(
                                                         g,
                                                         nullptr, kCounts, nullptr, kRecv, kCounts, nullptr, MUSTER_I32, nullptr),
                                                     MUSTER_INVALID_ARGUMENT, "send is NULL"),
                                        MUSTER_WRONG(
                                            "send_null_on_root_of_broadcast",
                                            muster_broadcast(
                                                g, nullptr, kRecv, 1, MUSTER_I32, muster_group_rank(g),
                                                nullptr),
                                            MUSTER_INVALID_ARGUMENT, "send is NULL"),
                                        MUSTER_WRONG("send_null_on_root_of_scatter",
                                                     muster_scatter(g, nullptr, kRecv,
                                                                    1, MUSTER_I32, muster_group_rank(g), nullptr),
                                                     MUSTER_INVALID_ARGUMENT, "send is NULL"),
                                        MUSTER_WRONG("recv_null_on_root_of_gather",
                                                     muster_gather(
                                                         g, kSend,
                                                         nullptr,
                                                         1, MUSTER_I32, muster_group_rank(g), nullptr),
                                                     MUSTER_INVALID_ARGUMENT, "recv is NULL"),
                                        MUSTER_WRONG("send_null_send",
                                                     muster_send(
                                                         g, nullptr,
                                                         1, MUSTER_I32, 1 - muster_group_rank(g), nullptr),
                                                     MUSTER_INVALID_ARGUMENT, "send is NULL"),
                                        MUSTER_WRONG("recv_null_recv",
                                                     muster_recv(
                                                         g, nullptr,
                                                         1, MUSTER_I32, 1 - muster_group_rank(g), nullptr),
                                                     MUSTER_INVALID_ARGUMENT, "recv is NULL"),
                                        MUSTER_WRONG(
                                            "fused_null",
                                            muster_fused_all_reduce_rmsnorm(g, kSend, kRecv, 4,
                                                                            MUSTER_F32, nullptr, nullptr),
                                            MUSTER_INVALID_ARGUMENT, "fused operands are missing"),
                                        MUSTER_WRONG(
                                            "fused_count",
                                            muster_fused_all_reduce_rmsnorm(g, kSend, kRecv, 5,
                                                                            MUSTER_F32, &kFused, nullptr),
                                            MUSTER_INVALID_ARGUMENT, "count is not rows*hidden"),
                                        Wrong{"fused_weight",
                                              [](muster_group* g) -> muster_status* {
                                                const auto fused =
                                                    fused_with([](muster_fused_rmsnorm& f) {
                                                      f.weight = nullptr;
                                                    });
                                                return muster_fused_all_reduce_rmsnorm(
                                                    g, kSend, kRecv, 4, MUSTER_F32, &fused,
                                                    nullptr);
                                              },
                                              MUSTER_INVALID_ARGUMENT, "fused operands"},
Wrong{"fused_hidden_0", [](muster_group* g) -> muster_status* {
  const auto fused = fused_with([](muster_fused_rmsnorm& f) { f.hidden = 0; });
  return muster_fused_all_reduce_rmsnorm(g, kSend, kRecv, 4, MUSTER_F32, &fused, nullptr);
}, MUSTER_INVALID_ARGUMENT, "rows of 0"},
Wrong{"fused_struct_size", [](muster_group* g) -> muster_status* {
  const auto fused = fused_with([](muster_fused_rmsnorm& f) { f.struct_size = 0; });
  return muster_fused_all_reduce_rmsnorm(g, kSend, kRecv, 4, MUSTER_F32, &fused, nullptr);
}, MUSTER_INVALID_ARGUMENT, "struct_size"},
Wrong{"fused_epsilon_negative", [](muster_group* g) -> muster_status* {
  const auto fused = fused_with([](muster_fused_rmsnorm& f) { f.epsilon = -1e-5; });
  return muster_fused_all_reduce_rmsnorm(g, kSend, kRecv, 4, MUSTER_F32, &fused, nullptr);
}, MUSTER_INVALID_ARGUMENT, "epsilon is -1e-05"},
Wrong{"fused_epsilon_nan", [](muster_group* g) -> muster_status* {
  const auto fused = fused_with([](muster_fused_rmsnorm& f) { f.epsilon = NAN; });
  return muster_fused_all_reduce_rmsnorm(g, kSend, kRecv, 4, MUSTER_F32, &fused, nullptr);
}, MUSTER_INVALID_ARGUMENT, "epsilon is nan"},
Wrong{"fused_epsilon_infinite", [](muster_group* g) -> muster_status* {
  const auto fused = fused_with([](muster_fused_rmsnorm& f) { f.epsilon = INFINITY; });
  return muster_fused_all_reduce_rmsnorm(g, kSend, kRecv, 4, MUSTER_F32, &fused, nullptr);
}, MUSTER_INVALID_ARGUMENT, "epsilon is inf"},
Wrong{"fused_quant_group", [](muster_group* g) -> muster_status* {
  const auto fused = fused_with([](muster_fused_rmsnorm& f) { f.quant_group = 3; f.scale_out = scales; });
  return muster_fused_all_reduce_rmsnorm(g, kSend, kRecv, 4, MUSTER_F32, &fused, nullptr);
}, MUSTER_INVALID_ARGUMENT, "quant_group 3 does not divide hidden 4"},
Wrong{"fused_quant_group_larger", [](muster_group* g) -> muster_status* {
  const auto fused = fused_with([](muster_fused_rmsnorm& f) { f.quant_group = 128; f.scale_out = scales; });
  return muster_fused_all_reduce_rmsnorm(g, kSend, kRecv, 4, MUSTER_F32, &fused, nullptr);
}, MUSTER_INVALID_ARGUMENT, "quant_group 128 does not divide hidden 4"},
Wrong{"fused_scale_out", [](muster_group* g) -> muster_status* {
  const auto fused = fused_with([](muster_fused_rmsnorm& f) { f.quant_group = 2; });
  return muster_fused_all_reduce_rmsnorm(g, kSend, kRecv, 4, MUSTER_F32, &fused, nullptr);
}, MUSTER_INVALID_ARGUMENT, "scale_out is NULL"},
Wrong{"fused_quantised_in_place", [](muster_group* g) -> muster_status* {
  const auto fused = fused_with([](muster_fused_rmsnorm& f) { f.quant_group = 2; f.scale_out = scales; });
  return muster_fused_all_reduce_rmsnorm(g, buffers[0], buffers[0], 4, MUSTER_F32, &fused, nullptr);
}, MUSTER_INVALID_ARGUMENT, "the result is quantised"},
Wrong{"fused_recv_dtype", [](muster_group* g) -> muster_status* {
  muster_call call = muster_call_init(MUSTER_FUSED_ALL_REDUCE_RMSNORM, MUSTER_F32);
  call.redop = MUSTER_SUM;
  call.recv_dtype = MUSTER_F8E4M3;
  call.send = kSend;
  call.recv = kRecv;
  call.count = 4;
  call.fused = &kFused;
  return muster_execute(g, &call);
}, MUSTER_INVALID_ARGUMENT, "recv_dtype is f8e4m3, dtype f32"},
Wrong{"recv_dtype", [](muster_group* g) -> muster_status* {
  muster_call call = muster_call_init(MUSTER_BROADCAST, MUSTER_F32);
  call.recv_dtype = MUSTER_F16;
  call.send = kSend;
  call.recv = kRecv;
  call.count = 4;
  return muster_execute(g, &call);
}, MUSTER_INVALID_ARGUMENT, "recv_dtype is f16, dtype f32"}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Refusal, GivenOptionsThatNobodyServesThenTheyAreNamed) {
  IdleBackend mock("fast");
  EXPECT_CALL(mock, execute).Times(0);
  with_group(2, mock, [](api::Group& group) {
    const auto with = [&](auto change) {
      api::Options options;
      change(options);
      return failure_of(
          [&] { group.all_reduce(kSend, kRecv, 1, MUSTER_I32, MUSTER_MAX, options); });
    };
    const int factor = 2;
    EXPECT_THAT(with([&](api::Options& o) { o.scalar = &factor; }).cause,
                HasSubstr("reduce operation is not sum"));
    EXPECT_THAT(with([](api::Options& o) { o.send_memory = MUSTER_CUDA; }).cause,
                HasSubstr("memory kinds cuda (send) and host (recv)"));
    EXPECT_THAT(with([](api::Options& o) { o.send_memory = o.recv_memory = MUSTER_CUDA; }).cause,
                HasSubstr("are not served here"));
    EXPECT_EQ(with([](api::Options& o) { o.recv_memory = 99; }).code, MUSTER_INVALID_ARGUMENT);
    EXPECT_THAT(with([](api::Options& o) { o.stream.kind = 99; }).cause,
                HasSubstr("stream kind 99 is unknown"));
    const Failed on_stream = with([](api::Options& o) { o.stream.kind = MUSTER_STREAM_CUDA; });
    EXPECT_EQ(on_stream.code, MUSTER_UNAVAILABLE) << "known, but offered by nobody";
  });
}

TEST(Refusal, GivenACallThatNobodyOffersThenTheStatusSaysWhatWasAskedFor) {
  IdleBackend mock("fast");
  ON_CALL(mock, offer).WillByDefault([](plugin::Query query) {
    muster_rule rule = MockBackend::everything();
    rule.ops = MUSTER_BIT(MUSTER_ALL_TO_ALL);
    query.add(rule);
  });
  EXPECT_CALL(mock, execute).Times(0);
  with_group(2, mock, [](api::Group& group) {
    const Failed failed =
        failure_of([&] { group.all_reduce(kSend, kRecv, 256, MUSTER_F32, MUSTER_SUM); });
    EXPECT_EQ(failed.code, MUSTER_UNAVAILABLE);
    EXPECT_THAT(failed.cause,
                HasSubstr("no backend of group group offers all_reduce of 1KiB f32 sum in host "
                          "memory, phase eager"));
    EXPECT_THAT(failed.remedy, HasSubstr("muster explain"));
    // That broke nothing.
    EXPECT_EQ(failure_of([&] { group.all_reduce(kSend, kRecv, 256, MUSTER_F32, MUSTER_SUM); }).code,
              MUSTER_UNAVAILABLE);
  });
}

TEST(Refusal, GivenARecordThatIsWrongThenEveryFunctionThatTakesOneSaysSo) {
  IdleBackend mock("fast");
  EXPECT_CALL(mock, execute).Times(0);
  with_group(2, mock, [](api::Group& group) {
    muster_call unset = all_reduce_of(kSend, kRecv, 1);
    unset.struct_size = 0;
    muster_call unknown = all_reduce_of(kSend, kRecv, 1);
    unknown.op = 77;
    for (const muster_call& call : {unset, unknown}) {
      const std::string says = call.struct_size == 0 ? "struct_size is not set" : "operation 77";
      EXPECT_THAT(failure_of([&] { group.execute(call); }).cause, HasSubstr(says));
      EXPECT_THAT(failure_of([&] { group.start(call); }).cause, HasSubstr(says));
      EXPECT_THAT(failure_of([&] { group.plan(call); }).cause, HasSubstr(says));
      const Failed batch = failure_of([&] { group.batch(&call, 1); });
      EXPECT_THAT(batch.cause, HasSubstr(says));
      EXPECT_THAT(batch.cause, HasSubstr("call 0 of the batch"));
    }
    muster_call on_stream = all_reduce_of(kSend, kRecv, 1);
    on_stream.stream.kind = MUSTER_STREAM_CUDA;
    EXPECT_THAT(failure_of([&] { group.start(on_stream); }).cause, HasSubstr("carries a stream"));
  });
}

}  // namespace
}  // namespace muster::testing

// The edge of the C API: what is NULL, unset or out of range is a status, and out-parameters stay
// as they were.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "muster/muster.h"
#include "tests/unit/agree/recorder.hpp"

namespace muster::testing {
namespace {

using ::testing::HasSubstr;

// Takes the status over.
Failed taken(muster_status* status) {
  return failure_of([&] { api::check(status); });
}

int data[8];
const uint64_t counts[] = {1};

struct NullCall {
  const char* function;
  muster_status* (*call)();
};

class NullGroup : public ::testing::TestWithParam<NullCall> {};

TEST_P(NullGroup, GivenNoGroupThenTheFunctionSaysSo) {
  const Failed failed = taken(GetParam().call());
  EXPECT_EQ(failed.code, MUSTER_INVALID_ARGUMENT);
  EXPECT_EQ(failed.cause, std::string("muster_") + GetParam().function + ": group is NULL");
  EXPECT_FALSE(failed.remedy.empty());
}

#define MUSTER_NULL(name, ...)                       \
  NullCall {                                         \
#name, [] { return muster_##name(__VA_ARGS__); } \
  }

muster_call some_call() { return muster_call_init(MUSTER_BARRIER, MUSTER_DTYPE_NONE); }
void ignore_counter(void*, muster_op, const char*, uint64_t, uint64_t) {}

INSTANTIATE_TEST_SUITE_P(
    Functions, NullGroup,
    ::testing::Values(
        MUSTER_NULL(all_reduce, nullptr, data, data, 1, MUSTER_I32, MUSTER_SUM, nullptr),
        MUSTER_NULL(reduce, nullptr, data, data, 1, MUSTER_I32, MUSTER_SUM, 0, nullptr),
        MUSTER_NULL(reduce_scatter, nullptr, data, data, 1, MUSTER_I32, MUSTER_SUM, nullptr),
        MUSTER_NULL(reduce_scatterv, nullptr, data, data, counts, MUSTER_I32, MUSTER_SUM, nullptr),
        MUSTER_NULL(fused_all_reduce_rmsnorm, nullptr, data, data, 1, MUSTER_F32, nullptr, nullptr),
        MUSTER_NULL(broadcast, nullptr, data, data, 1, MUSTER_I32, 0, nullptr),
        MUSTER_NULL(all_gather, nullptr, data, data, 1, MUSTER_I32, nullptr),
        MUSTER_NULL(all_gatherv, nullptr, data, data, counts, nullptr, MUSTER_I32, nullptr),
        MUSTER_NULL(gather, nullptr, data, data, 1, MUSTER_I32, 0, nullptr),
        MUSTER_NULL(gatherv, nullptr, data, 1, data, counts, nullptr, MUSTER_I32, 0, nullptr),
        MUSTER_NULL(scatter, nullptr, data, data, 1, MUSTER_I32, 0, nullptr),
        MUSTER_NULL(scatterv, nullptr, data, counts, nullptr, data, 1, MUSTER_I32, 0, nullptr),
        MUSTER_NULL(all_to_all, nullptr, data, data, 1, MUSTER_I32, nullptr),
        MUSTER_NULL(all_to_allv, nullptr, data, counts, nullptr, data, counts, nullptr, MUSTER_I32,
                    nullptr),
        MUSTER_NULL(send, nullptr, data, 1, MUSTER_I32, 0, nullptr),
        MUSTER_NULL(recv, nullptr, data, 1, MUSTER_I32, 0, nullptr),
        MUSTER_NULL(send_recv, nullptr, data, 1, 0, data, 1, 0, MUSTER_I32, nullptr),
        MUSTER_NULL(barrier, nullptr), MUSTER_NULL(group_reserve, nullptr, MUSTER_HOST, 1),
        MUSTER_NULL(graph_begin, nullptr, MUSTER_GRAPH_WARMUP), MUSTER_NULL(graph_end, nullptr, 1),
        MUSTER_NULL(batch, nullptr, nullptr, 0),
        MUSTER_NULL(group_counters, nullptr, ignore_counter, nullptr),
        NullCall{"execute",
                 [] {
                   const muster_call call = some_call();
                   return muster_execute(nullptr, &call);
                 }},
        NullCall{"start",
                 [] {
                   const muster_call call = some_call();
                   muster_work* out = nullptr;
                   return muster_start(nullptr, &call, &out);
                 }},
        NullCall{"plan_create",
                 [] {
                   const muster_call call = some_call();
                   muster_plan* out = nullptr;
                   return muster_plan_create(nullptr, &call, &out);
                 }},
        NullCall{"group_backend",
                 [] {
                   const muster_call call = some_call();
                   const char* out = nullptr;
                   return muster_group_backend(nullptr, &call, &out);
                 }},
        NullCall{"group_explain",
                 [] {
                   const muster_call call = some_call();
                   char* out = nullptr;
                   return muster_group_explain(nullptr, &call, 0, &out);
                 }}),
    [](const auto& info) { return std::string(info.param.function); });

void alone(const std::function<void(api::Runtime&, muster_group*)>& body) {
  World(1).run([&](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime);
    body(runtime, group.get());
  });
}

TEST(Boundary, GivenRecordsOfAnOlderHeaderThenWhatLiesBehindThemIsNotRead) {
  alone([](api::Runtime&, muster_group* group) {
    muster_call call = some_call();
    call.struct_size = MUSTER_STRUCT_SIZE(muster_call, count);
    call.stream.kind = 12345;  // of another object, were the record as short as it says
    const char* name = nullptr;
    EXPECT_EQ(taken(muster_group_backend(group, &call, &name)).cause, "");
    EXPECT_STREQ(name, "self");
    char* text = nullptr;
    EXPECT_EQ(taken(muster_group_explain(group, &call, 0, &text)).cause, "");
    muster_text_release(text);
    call.struct_size = 0;
    EXPECT_EQ(taken(muster_group_backend(group, &call, &name)).cause,
              "muster_group_backend: call.struct_size is not set");
    EXPECT_EQ(taken(muster_group_explain(group, &call, 0, &text)).cause,
              "muster_group_explain: call.struct_size is not set");
  });
}

TEST(Boundary, GivenNoKindOfMemoryToReserveThenItIsTheGroupsAndAnUnknownOneIsRefused) {
  alone([](api::Runtime&, muster_group* group) {
    EXPECT_EQ(taken(muster_group_reserve(group, MUSTER_MEMORY_DEFAULT, 4096)).cause, "");
    EXPECT_EQ(taken(muster_group_reserve(group, 99, 4096)).cause,
              "muster_group_reserve: memory kind 99 is unknown");
  });
}

TEST(Boundary, GivenAMissingCallOrOutParameterThenItIsNamed) {
  alone([](api::Runtime& runtime, muster_group* group) {
    const muster_call call = some_call();
    muster_work* work = nullptr;
    muster_plan* plan = nullptr;
    const char* name = nullptr;
    char* text = nullptr;
    uint32_t done = 0;
    EXPECT_EQ(taken(muster_execute(group, nullptr)).cause, "muster_execute: call is NULL");
    EXPECT_EQ(taken(muster_start(group, nullptr, &work)).cause, "muster_start: call is NULL");
    EXPECT_EQ(taken(muster_start(group, &call, nullptr)).cause, "muster_start: out is NULL");
    EXPECT_EQ(taken(muster_plan_create(group, nullptr, &plan)).cause,
              "muster_plan_create: call is NULL");
    EXPECT_EQ(taken(muster_plan_create(group, &call, nullptr)).cause,
              "muster_plan_create: out is NULL");
    EXPECT_EQ(taken(muster_plan_run(nullptr)).cause, "muster_plan_run: plan is NULL");
    EXPECT_EQ(taken(muster_batch(group, nullptr, 1)).cause, "muster_batch: calls is NULL");
    EXPECT_EQ(taken(muster_work_test(nullptr, &done)).cause, "muster_work_test: work is NULL");
    EXPECT_EQ(taken(muster_work_wait(nullptr)).cause, "muster_work_wait: work is NULL");
    EXPECT_EQ(taken(muster_group_backend(group, nullptr, &name)).cause,
              "muster_group_backend: call is NULL");
    EXPECT_EQ(taken(muster_group_backend(group, &call, nullptr)).cause,
              "muster_group_backend: out_name is NULL");
    EXPECT_EQ(taken(muster_group_explain(group, nullptr, 0, &text)).cause,
              "muster_group_explain: call is NULL");
    EXPECT_EQ(taken(muster_group_explain(group, &call, 0, nullptr)).cause,
              "muster_group_explain: out_text is NULL");
    EXPECT_EQ(taken(muster_group_counters(group, nullptr, nullptr)).cause,
              "muster_group_counters: sink is NULL");
    EXPECT_EQ(taken(muster_runtime_describe(nullptr, &text)).cause,
              "muster_runtime_describe: runtime is NULL");
    EXPECT_EQ(taken(muster_runtime_describe(runtime.get(), nullptr)).cause,
              "muster_runtime_describe: out_json is NULL");
    EXPECT_EQ(taken(muster_set_flush(nullptr, nullptr, nullptr)).cause,
              "muster_set_flush: runtime is NULL");
    EXPECT_EQ(work, nullptr);
    EXPECT_EQ(plan, nullptr);
    EXPECT_EQ(name, nullptr);
    EXPECT_EQ(text, nullptr);
    ASSERT_EQ(muster_start(group, &call, &work), nullptr);
    EXPECT_EQ(taken(muster_work_test(work, nullptr)).cause, "muster_work_test: done is NULL");
    muster_work_release(work);
  });
}

TEST(Boundary, GivenNothingThenReleasesAndQuestionsTakeIt) {
  muster_status_release(nullptr);
  muster_threads_release(nullptr);
  muster_finalize(nullptr);
  muster_work_release(nullptr);
  muster_plan_release(nullptr);
  muster_text_release(nullptr);
  muster_group_abort(nullptr);
  EXPECT_EQ(muster_group_destroy(nullptr), nullptr);
  EXPECT_EQ(muster_status_code(nullptr), uint32_t{MUSTER_OK});
  EXPECT_STREQ(muster_status_cause(nullptr), "");
  EXPECT_STREQ(muster_status_remedy(nullptr), "");
  EXPECT_STREQ(muster_status_message(nullptr), "");
  EXPECT_EQ(muster_rank(nullptr), 0u);
  EXPECT_EQ(muster_size(nullptr), 0u);
  EXPECT_STREQ(muster_bootstrap_name(nullptr), "");
  EXPECT_EQ(muster_group_rank(nullptr), 0u);
  EXPECT_EQ(muster_group_size(nullptr), 0u);
  EXPECT_STREQ(muster_group_name(nullptr), "");
}

TEST(Boundary, GivenNamesThenTheyAreThoseOfTheVocabularyAndUnknownBeyondIt) {
  EXPECT_STREQ(muster_op_name(MUSTER_ALL_REDUCE), "all_reduce");
  EXPECT_STREQ(muster_op_name(MUSTER_OP_END), "unknown");
  EXPECT_STREQ(muster_dtype_name(MUSTER_BF16), "bf16");
  EXPECT_STREQ(muster_dtype_name(99), "unknown");
  EXPECT_STREQ(muster_redop_name(MUSTER_SUM), "sum");
  EXPECT_STREQ(muster_memory_name(MUSTER_HOST), "host");
  EXPECT_EQ(muster_dtype_size(MUSTER_F64), 8u);
  EXPECT_EQ(muster_dtype_size(99), 0u);
  EXPECT_STREQ(muster_code_name(MUSTER_PEER_LOST), "PEER_LOST");
  EXPECT_STREQ(muster_code_name(99), "UNKNOWN");
  EXPECT_STREQ(muster_version(), MUSTER_VERSION);
}

TEST(Boundary, GivenAFailureThenItsMessageHoldsCodeCauseAndRemedy) {
  muster_status* const status = muster_barrier(nullptr);
  EXPECT_EQ(muster_status_code(status), uint32_t{MUSTER_INVALID_ARGUMENT});
  EXPECT_STREQ(muster_status_message(status),
               "INVALID_ARGUMENT: muster_barrier: group is NULL; give a valid group");
  muster_status_release(status);
}

TEST(Boundary, GivenAWorldOfNobodyThenItIsRefused) {
  muster_threads* threads = nullptr;
  EXPECT_EQ(taken(muster_threads_create(0, &threads)).code, MUSTER_INVALID_ARGUMENT);
  EXPECT_EQ(taken(muster_threads_create(1, nullptr)).code, MUSTER_INVALID_ARGUMENT);
  EXPECT_EQ(threads, nullptr);
}

TEST(Boundary, GivenWrongOptionsOfARuntimeThenTheyAreNamedBeforeAnybodyIsWaitedFor) {
  const api::Threads threads(2);
  muster_runtime* runtime = nullptr;
  const auto init = [&](auto change) {
    api::RuntimeOptions options;
    options.threads = threads.get();
    change(options);
    return taken(muster_init(&options, &runtime)).cause;
  };
  EXPECT_THAT(init([](auto& o) { o.struct_size = 0; }), HasSubstr("struct_size is not set"));
  EXPECT_THAT(init([](auto& o) { o.thread_rank = 2; }),
              HasSubstr("thread_rank 2 is outside the world of 2 threads"));
  EXPECT_THAT(init([](auto& o) { o.builtin_count = 1; }), HasSubstr("options.builtin is NULL"));
  const muster_entry* const nothing[] = {nullptr};
  EXPECT_THAT(init([&](auto& o) {
                o.builtin = nothing;
                o.builtin_count = 1;
              }),
              HasSubstr("an entry of options.builtin is NULL"));
  struct Later : api::RuntimeOptions {
    uint64_t later = 1;
  } later;
  later.struct_size += sizeof(later.later);
  EXPECT_THAT(taken(muster_init(&later, &runtime)).cause,
              HasSubstr("options asks for what this runtime, of ABI 0."));
  EXPECT_EQ(taken(muster_init(nullptr, nullptr)).cause, "muster_init: out is NULL");
  EXPECT_EQ(runtime, nullptr);
}

TEST(Boundary, GivenWrongOptionsOfAGroupThenTheyAreNamed) {
  IdleBackend mock("fast");
  EXPECT_CALL(mock, prepare).Times(0);
  World(2).with(mock).run([](api::Runtime& runtime, uint32_t rank) {
    muster_group* group = nullptr;
    const auto create = [&](auto change, const std::vector<uint32_t>& ranks = {}) {
      api::GroupOptions options;
      change(options);
      return taken(muster_group_create(runtime.get(), &options,
                                       ranks.empty() ? nullptr : ranks.data(),
                                       static_cast<uint32_t>(ranks.size()), &group))
          .cause;
    };
    const auto as_is = [](api::GroupOptions&) {};
    EXPECT_THAT(create([](auto& o) { o.struct_size = 0; }), HasSubstr("struct_size is not set"));
    EXPECT_THAT(create([](auto& o) { o.memory = 77; }), HasSubstr("memory kind 77"));
    EXPECT_THAT(create([](auto& o) { o.determinism = 4; }), HasSubstr("determinism class 4"));
    EXPECT_THAT(create(as_is, {0, 2}), HasSubstr("rank 2 is outside the world of 2 ranks"));
    EXPECT_THAT(create(as_is, {0, 1, 0}), HasSubstr("rank 0 is listed twice"));
    EXPECT_THAT(create(as_is, {1 - rank}), HasSubstr("is not in the list"));
    EXPECT_EQ(taken(muster_group_create(nullptr, nullptr, nullptr, 0, &group)).cause,
              "muster_group_create: runtime is NULL");
    EXPECT_EQ(taken(muster_group_create(runtime.get(), nullptr, nullptr, 0, nullptr)).cause,
              "muster_group_create: out is NULL");
    EXPECT_EQ(group, nullptr);
  });
}

TEST(Boundary, GivenAGroupLeftOverAtTheEndThenItIsDestroyedWithAWarning) {
  const CapturedLog log;
  IdleBackend mock("fast");
  EXPECT_CALL(mock, destroy).Times(2);
  World(2).with(mock).run([](api::Runtime& runtime, uint32_t) {
    muster_group* group = nullptr;
    ASSERT_EQ(muster_group_create(runtime.get(), nullptr, nullptr, 0, &group), nullptr);
    EXPECT_STREQ(muster_group_name(group), "group");
  });
  EXPECT_EQ(log.count("group group was not destroyed before muster_finalize"), 2);
}

TEST(Boundary, GivenAFlushOfTheProgramThenABackendThatAsksReachesIt) {
  IdleBackend mock("fast");
  std::atomic<int> flushed{0};
  ON_CALL(mock, execute).WillByDefault([](MockGroup& group, const muster_call&) {
    const muster_host* const host = group.runtime().host().get();
    plugin::check(host->flush_pending(host, MUSTER_CUDA));
  });
  World(2).with(mock).run([&](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime);
    group.barrier();
    runtime.set_flush(
        [](void* context, muster_memory memory) {
          EXPECT_EQ(memory, uint32_t{MUSTER_CUDA});
          ++*static_cast<std::atomic<int>*>(context);
        },
        &flushed);
    group.barrier();
    runtime.set_flush(nullptr, nullptr);
    group.barrier();
  });
  EXPECT_EQ(flushed, 2);
}

}  // namespace
}  // namespace muster::testing

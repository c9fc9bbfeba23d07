// Dictionaries that do not fit: every rank hears of it, nothing was moved, the group goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/tensors/shm_world.hpp"

// A sanitizer ends the process at an allocation that is too large, where malloc gives NULL.
#if defined(__SANITIZE_ADDRESS__)
extern "C" [[gnu::visibility("default")]] const char* __asan_default_options();
const char* __asan_default_options() { return "allocator_may_return_null=1"; }
#elif defined(__SANITIZE_THREAD__)
extern "C" [[gnu::visibility("default")]] const char* __tsan_default_options();
const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
#endif

namespace muster::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint32_t kOddRank = 2;  // the rank that differs

float root_data[6] = {1, 2, 3, 4, 5, 6};

// What every rank has alike: tensors "a" and "b" and a value.
void fill(api::Dict& dict, float* data) {
  dict.add("a", data, {2, 3});
  dict.add("b", data, {6});
  dict.add_value("v", 1);
}

// One rank of three fills its dictionary differently; gives what all were told.
void expect_mismatch(const std::function<void(api::Dict&, float*)>& differently,
                     const std::string& what) {
  on_ranks(3, [&](api::Group& group) {
    float own[6] = {};
    float* const data = group.rank() == 0 ? root_data : own;
    api::Dict dict;
    if (group.rank() == kOddRank) {
      differently(dict, data);
    } else {
      fill(dict, data);
    }
    const Failed failed = failure_of([&] { api::broadcast_dict(group, dict, 0); });
    EXPECT_EQ(failed.code, MUSTER_MISMATCH);
    EXPECT_THAT(failed.cause, AllOf(HasSubstr("rank 2: "), HasSubstr("that of rank 0: " + what),
                                    Not(HasSubstr("rank 1"))));
    if (group.rank() != 0) {
      EXPECT_EQ(own[0], 0) << "data came";
    }

    api::Dict good;
    fill(good, data);
    api::broadcast_dict(group, good, 0);
    EXPECT_EQ(data[5], 6);
  });
}

TEST(DictMismatch, GivenAnotherNameThenTheMissingAndTheSurplusAreNamed) {
  expect_mismatch(
      [](api::Dict& dict, float* data) {
        dict.add("a", data, {2, 3});
        dict.add("c", data, {6});
        dict.add_value("v", 1);
      },
      "'b' (f32 [6] in host memory) is missing here, 'c' (f32 [6] in host memory) is here only");
}

TEST(DictMismatch, GivenAnotherDtypeThenBothAreNamed) {
  expect_mismatch(
      [](api::Dict& dict, float* data) {
        dict.add("a", data, {2, 3}, MUSTER_I32);
        dict.add("b", data, {6});
        dict.add_value("v", 1);
      },
      "'a' is f32 [2, 3] in host memory there, i32 [2, 3] in host memory here");
}

TEST(DictMismatch, GivenAnotherShapeOfEqualSizeThenBothAreNamed) {
  expect_mismatch(
      [](api::Dict& dict, float* data) {
        dict.add("a", data, {3, 2});
        dict.add("b", data, {6});
        dict.add_value("v", 1);
      },
      "'a' is f32 [2, 3] in host memory there, f32 [3, 2] in host memory here");
}

TEST(DictMismatch, GivenAnotherMemoryKindThenBothAreNamed) {
  expect_mismatch(
      [](api::Dict& dict, float* data) {
        dict.add("a", data, {2, 3});
        dict.add("b", data, {6}, MUSTER_F32, MUSTER_CUDA);
        dict.add_value("v", 1);
      },
      "'b' is f32 [6] in host memory there, f32 [6] in cuda memory here");
}

TEST(DictMismatch, GivenATensorForAValueThenBothAreNamed) {
  expect_mismatch(
      [](api::Dict& dict, float* data) {
        dict.add("a", data, {2, 3});
        dict.add("b", data, {6});
        dict.add("v", data, {1});
      },
      "'v' is a value there, f32 [1] in host memory here");
}

TEST(DictMismatch, GivenManyDifferencesThenTheFirstFewAreNamedAndTheRestCounted) {
  expect_mismatch(
      [](api::Dict& dict, float* data) {
        for (int i = 0; i < 10; ++i) dict.add("x" + std::to_string(i), data, {1});
      },
      "'a' (f32 [2, 3] in host memory) is missing here, 'b' (f32 [6] in host memory) is missing "
      "here, 'v' (a value) is missing here, and 10 more");
}

TEST(DictRefusals, GivenAllocationsThatFailOnTwoRanksThenAllAreToldOfBoth) {
  on_ranks(4, [](api::Group& group) {
    api::DictOptions options;
    const bool fails = group.rank() == 1 || group.rank() == 3;
    static char memory[4][64];
    options.context = fails ? nullptr : memory[group.rank()];
    options.allocate = [](void* context, const muster_dict_entry*) { return context; };
    api::Dict dict;
    if (group.rank() == 0) dict.add("a", root_data, {6});
    const Failed failed = failure_of([&] { api::broadcast_dict(group, dict, 0, options); });
    EXPECT_EQ(failed.code, MUSTER_RESOURCE_EXHAUSTED);
    EXPECT_THAT(failed.cause, AllOf(HasSubstr("rank 1: "), HasSubstr("rank 3: "),
                                    HasSubstr("no memory for 'a'"), Not(HasSubstr("rank 2: "))));
    EXPECT_EQ(dict.size(), group.rank() == 0 ? 1u : 0u);
    api::broadcast_dict(group, dict, 0);
    EXPECT_EQ(static_cast<const float*>(dict.find("a").data)[5], 6);
  });
}

TEST(DictRefusals, GivenATensorThatIsTooLargeForThisMachineThenAllAreTold) {
  on_ranks(2, [](api::Group& group) {
    api::Dict dict;
    if (group.rank() == 0) dict.add("huge", root_data, {uint64_t{1} << 60});
    const Failed failed = failure_of([&] { api::broadcast_dict(group, dict, 0); });
    EXPECT_EQ(failed.code, MUSTER_RESOURCE_EXHAUSTED);
    EXPECT_THAT(failed.cause, HasSubstr("rank 1: there is no memory for 'huge'"));
  });
}

TEST(DictRefusals, GivenMemoryThatNoBackendServesThenAllAreTold) {
  on_ranks(3, [](api::Group& group) {
    api::Dict dict;
    if (group.rank() == 1) dict.add("device", root_data, {6}, MUSTER_F32, MUSTER_CUDA);
    Failed failed = failure_of([&] { api::broadcast_dict(group, dict, 1); });
    EXPECT_EQ(failed.code, MUSTER_UNAVAILABLE);
    EXPECT_THAT(failed.cause, HasSubstr("cuda memory, that of 'device'"));
    if (group.rank() == 1) failed = failure_of([&] { api::send_dict(group, dict, 0); });
    if (group.rank() == 0) failed = failure_of([&] { api::recv_dict(group, dict, 1); });
    EXPECT_EQ(failed.code, MUSTER_UNAVAILABLE);
    group.barrier();
  });
}

TEST(DictRefusals, GivenArgumentsThatAreWrongThenTheyAreNamed) {
  on_ranks(2, [](api::Group& group) {
    api::Dict dict;
    muster_dict_options unset = {};
    const auto code = [](muster_status* status) {
      return failure_of([&] { api::check(status); }).code;
    };
    const uint32_t peer = 1 - group.rank();
    EXPECT_EQ(code(muster_broadcast_dict(nullptr, dict.get(), 0, nullptr)),
              MUSTER_INVALID_ARGUMENT);
    EXPECT_EQ(code(muster_broadcast_dict(group.get(), nullptr, 0, nullptr)),
              MUSTER_INVALID_ARGUMENT);
    EXPECT_EQ(code(muster_broadcast_dict(group.get(), dict.get(), 2, nullptr)),
              MUSTER_INVALID_ARGUMENT);
    EXPECT_EQ(code(muster_broadcast_dict(group.get(), dict.get(), 0, &unset)),
              MUSTER_INVALID_ARGUMENT);
    EXPECT_EQ(code(muster_send_dict(group.get(), dict.get(), group.rank(), nullptr)),
              MUSTER_INVALID_ARGUMENT);
    EXPECT_EQ(code(muster_recv_dict(group.get(), dict.get(), 2, nullptr)), MUSTER_INVALID_ARGUMENT);
    EXPECT_EQ(code(muster_send_dict(group.get(), nullptr, peer, nullptr)), MUSTER_INVALID_ARGUMENT);
  });
}

}  // namespace
}  // namespace muster::testing

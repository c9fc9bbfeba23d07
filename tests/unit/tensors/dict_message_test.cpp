// Dictionaries from rank to rank, whole and in slices that the receiving side gathers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/tensors/shm_world.hpp"

namespace muster::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr uint64_t kEven = 30000;  // divides by two
constexpr uint64_t kOdd = 5001;

struct Tensors {
  std::vector<float> even = std::vector<float>(kEven);
  std::vector<float> odd = std::vector<float>(kOdd);
  std::vector<float> small = std::vector<float>(8);
  void fill() {
    std::iota(even.begin(), even.end(), 1.0f);
    std::iota(odd.begin(), odd.end(), 2.0f);
    std::iota(small.begin(), small.end(), 3.0f);
  }
  void add_to(api::Dict& dict) {
    dict.add("even", even.data(), {kEven / 10, 10});
    dict.add("odd", odd.data(), {kOdd});
    dict.add("small/0", small.data(), {8});
    dict.add("small/1", small.data() + 4, {4});
    dict.add("empty", static_cast<float*>(nullptr), {0, 7});
  }
};

void expect_arrived(const api::Dict& dict) {
  Tensors sent;
  sent.fill();
  const auto floats = [&](const char* name) {
    const muster_dict_entry entry = dict.find(name);
    const float* const data = static_cast<const float*>(entry.data);
    return std::vector<float>(data, data + entry.bytes / sizeof(float));
  };
  EXPECT_EQ(floats("even"), sent.even);
  EXPECT_EQ(floats("odd"), sent.odd);
  EXPECT_EQ(floats("small/0"), sent.small);
  EXPECT_EQ(floats("small/1"), std::vector<float>(sent.small.begin() + 4, sent.small.end()));
  EXPECT_EQ(dict.find("empty").bytes, 0u);
}

TEST(DictMessage, GivenADictionaryThenItReachesTheOneForWhomItIs) {
  on_ranks(3, [](api::Group& group) {
    Tensors tensors;
    api::Dict dict;
    if (group.rank() == 2) {
      tensors.fill();
      tensors.add_to(dict);
      dict.add_value("step", 7);
      api::send_dict(group, dict, 0);
      api::send_dict(group, dict, 0);
      api::send_dict(group, api::Dict(), 0);
    } else if (group.rank() == 0) {
      api::recv_dict(group, dict, 2);
      expect_arrived(dict);
      EXPECT_EQ(dict.value<int>("step"), 7);
      api::Dict own;
      own.add_value("step", 0);
      tensors.add_to(own);
      api::recv_dict(group, own, 2);
      expect_arrived(own);
      EXPECT_EQ(own.find("even").data, tensors.even.data());
      EXPECT_EQ(own.value<int>("step"), 7);
      api::Dict none;
      api::recv_dict(group, none, 2);
      EXPECT_EQ(none.size(), 0u);
    }
    group.barrier();
  });
}

TEST(DictMessage, GivenAReceiverThatCannotTakeItThenTheSenderIsToldToo) {
  on_ranks(2, [](api::Group& group) {
    Tensors tensors;
    api::Dict dict;
    tensors.add_to(dict);
    if (group.rank() == 1) dict.add_value("mine", 1);
    const Failed failed = failure_of([&] {
      if (group.rank() == 0) api::send_dict(group, dict, 1);
      if (group.rank() == 1) api::recv_dict(group, dict, 0);
    });
    EXPECT_EQ(failed.code, MUSTER_MISMATCH);
    EXPECT_THAT(failed.cause, HasSubstr("'mine' (a value) is here only"));
    if (group.rank() == 0) {
      EXPECT_THAT(failed.cause, HasSubstr("rank 1 of group"));
    }
    api::DictOptions options;
    options.allocate = [](void*, const muster_dict_entry*) -> void* { return nullptr; };
    api::Dict none;
    const Failed exhausted = failure_of([&] {
      if (group.rank() == 0) api::send_dict(group, dict, 1);
      if (group.rank() == 1) api::recv_dict(group, none, 0, options);
    });
    EXPECT_EQ(exhausted.code, MUSTER_RESOURCE_EXHAUSTED);
    group.barrier();
  });
}

// Two stages of two ranks: 0 and 1 send to 2 and 3, each pair a tensor-parallel group.
void in_stages(const std::function<void(api::Group& world, api::Group& tp, bool sends)>& body) {
  shm_world(4).run([&](api::Runtime& runtime, uint32_t rank) {
    api::Group world(runtime);
    const bool sends = rank < 2;
    api::Group tp(runtime, sends ? std::vector<uint32_t>{0, 1} : std::vector<uint32_t>{2, 3});
    body(world, tp, sends);
    world.barrier();
  });
}

TEST(DictSlices, GivenAnAllGatherGroupThenHalvesTravelAndTheWholeArrives) {
  in_stages([](api::Group& world, api::Group& tp, bool sends) {
    Tensors tensors;
    api::Dict dict;
    api::DictOptions options;
    options.all_gather_group = tp.get();
    if (sends) {
      tensors.fill();
      tensors.add_to(dict);
      api::send_dict(world, dict, world.rank() + 2, options);
      const uint64_t sent = cost_of(world, MUSTER_SEND).bytes;
      EXPECT_GT(sent, (kEven / 2 + kOdd) * sizeof(float));
      EXPECT_LT(sent, (kEven / 2 + kOdd) * sizeof(float) + 2000);
      EXPECT_EQ(cost_of(tp, MUSTER_ALL_GATHER).calls, 0u);
      return;
    }
    api::recv_dict(world, dict, world.rank() - 2, options);
    expect_arrived(dict);
    EXPECT_EQ(cost_of(tp, MUSTER_ALL_GATHER).calls, 2u) << "the vote, and one tensor";
  });
}

TEST(DictSlices, GivenOneReceiverThatCannotTakeItThenAllFourAreTold) {
  in_stages([](api::Group& world, api::Group& tp, bool sends) {
    Tensors tensors;
    api::Dict dict;
    tensors.add_to(dict);
    api::DictOptions options;
    options.all_gather_group = tp.get();
    if (world.rank() == 3) dict.add_value("mine", 1);
    const Failed failed = failure_of([&] {
      if (sends) {
        api::send_dict(world, dict, world.rank() + 2, options);
      } else {
        api::recv_dict(world, dict, world.rank() - 2, options);
      }
    });
    EXPECT_EQ(failed.code, MUSTER_MISMATCH);
    EXPECT_THAT(failed.cause, AllOf(HasSubstr("rank 1: "), HasSubstr("'mine'")));
  });
}

TEST(DictSlices, GivenSendersWithDifferentDictionariesThenAllFourAreTold) {
  in_stages([](api::Group& world, api::Group& tp, bool sends) {
    float data[6000] = {};
    api::Dict dict;
    api::DictOptions options;
    options.all_gather_group = tp.get();
    const Failed failed = failure_of([&] {
      if (sends) {
        dict.add("x", data, {world.rank() == 0 ? 6000u : 3000u});
        api::send_dict(world, dict, world.rank() + 2, options);
      } else {
        api::recv_dict(world, dict, world.rank() - 2, options);
      }
    });
    EXPECT_EQ(failed.code, MUSTER_MISMATCH);
    EXPECT_THAT(failed.cause, HasSubstr("of ranks 1 differ from those of rank 0"));
  });
}

TEST(DictSlices, GivenGroupsOfOneSideOnlyOrCrossedRanksThenAllFourAreTold) {
  in_stages([](api::Group& world, api::Group& tp, bool sends) {
    Tensors tensors;
    api::Dict dict;
    tensors.add_to(dict);
    api::DictOptions with;
    with.all_gather_group = tp.get();
    const auto exchange = [&](bool crossed, bool sender_has, bool receiver_has) {
      const uint32_t other = crossed ? 1 - world.rank() % 2 : world.rank() % 2;
      return failure_of([&] {
        if (sends) {
          api::send_dict(world, dict, 2 + other, sender_has ? with : api::DictOptions());
        } else {
          api::recv_dict(world, dict, other, receiver_has ? with : api::DictOptions());
        }
      });
    };
    Failed failed = exchange(false, true, false);
    EXPECT_EQ(failed.code, MUSTER_MISMATCH);
    EXPECT_THAT(failed.cause, HasSubstr("has 2 ranks, the receiver's 1"));
    failed = exchange(false, false, true);
    EXPECT_THAT(failed.cause, HasSubstr("has 1 ranks, the receiver's 2"));
    failed = exchange(true, true, true);
    EXPECT_THAT(failed.cause, HasSubstr("of its all_gather_group, the receiver rank"));
    EXPECT_EQ(exchange(false, true, true).code, MUSTER_OK);
  });
}

}  // namespace
}  // namespace muster::testing

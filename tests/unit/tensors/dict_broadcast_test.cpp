// Dictionaries that arrive.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <list>

#include "tests/unit/compose/thread_backend.hpp"
#include "tests/unit/tensors/shm_world.hpp"

namespace muster::testing {
namespace {

// A dictionary whose tensors' memory lives beside it.
struct Filled {
  api::Dict dict;
  std::list<std::vector<char>> memory;
  void add(const std::string& name, size_t bytes, uint32_t seed) {
    memory.push_back(pattern(bytes, seed));
    dict.add(name, memory.back().data(), {bytes}, MUSTER_U8);
  }
};

std::vector<char> data_of(const muster_dict_entry& entry) {
  const char* const data = static_cast<const char*>(entry.data);
  return std::vector<char>(data, data + entry.bytes);
}

class DictBroadcast : public ::testing::TestWithParam<uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Ranks, DictBroadcast, ::testing::Values(1, 2, 3, 4));

TEST_P(DictBroadcast, GivenTensorsOfAllSizesAndValuesThenEveryRankHasThemInOrder) {
  on_ranks(GetParam(), [](api::Group& group) {
    const std::vector<size_t> sizes = {1, 4096, 0, 4097, 700000, 3, 4095};
    for (uint32_t root = 0; root < group.size(); ++root) {
      Filled filled;
      if (group.rank() == root) {
        for (size_t i = 0; i < sizes.size(); ++i)
          filled.add("t/" + std::to_string(i), sizes[i], root + static_cast<uint32_t>(i));
        filled.dict.add_value("step", int64_t{41});
        filled.dict.add("scalar", filled.memory.front().data(), {}, MUSTER_U8);
      }
      api::broadcast_dict(group, filled.dict, root);
      ASSERT_EQ(filled.dict.size(), sizes.size() + 2);
      for (size_t i = 0; i < sizes.size(); ++i) {
        EXPECT_EQ(filled.dict.at(i).name, "t/" + std::to_string(i));
        EXPECT_EQ(data_of(filled.dict.at(i)), pattern(sizes[i], root + static_cast<uint32_t>(i)));
      }
      EXPECT_EQ(filled.dict.value<int64_t>("step"), 41);
      EXPECT_EQ(data_of(filled.dict.find("scalar")), pattern(1, root));
    }
  });
}

TEST(DictBroadcastMany, GivenTenThousandSmallEntriesThenTheyTravelInFewMessages) {
  on_ranks(3, [](api::Group& group) {
    constexpr uint32_t kEntries = 10000;
    Filled filled;
    if (group.rank() == 0) {
      for (uint32_t i = 0; i < kEntries; ++i) {
        const std::string name = api::path("layers", std::to_string(i));
        if (i % 5 == 0) {
          filled.dict.add_value(name, i);
        } else {
          filled.add(name, i % 90, i);
        }
      }
    }
    api::broadcast_dict(group, filled.dict, 0);
    EXPECT_LT(cost_of(group, MUSTER_BROADCAST).calls, 20u);
    ASSERT_EQ(filled.dict.size(), kEntries);
    for (uint32_t i = 0; i < kEntries; ++i) {
      const std::string name = api::path("layers", std::to_string(i));
      if (i % 5 == 0) {
        ASSERT_EQ(filled.dict.value<uint32_t>(name), i);
      } else {
        ASSERT_EQ(data_of(filled.dict.find(name)), pattern(i % 90, i));
      }
    }
  });
}

TEST(DictBroadcastEmpty, GivenNoEntriesThenThereAreNoneAfterwards) {
  on_ranks(2, [](api::Group& group) {
    api::Dict dict;
    api::broadcast_dict(group, dict, 1);
    EXPECT_EQ(dict.size(), 0u);
  });
}

TEST(DictBroadcastOwn, GivenOwnEntriesInAnotherOrderThenDataComesIntoTheirMemory) {
  on_ranks(3, [](api::Group& group) {
    Filled filled;
    std::vector<char> small(10);
    std::vector<char> large(10000);
    char* const own[] = {small.data(), large.data()};
    if (group.rank() == 1) {
      filled.add("small", 10, 1);
      filled.add("large", 10000, 2);
      filled.add("none", 0, 0);
      filled.dict.add_value("value", std::string("from root"));
    } else {
      filled.dict.add_value("value", std::string("mine, and longer than that"));
      filled.dict.add("none", nullptr, {0}, MUSTER_U8);
      filled.dict.add("large", large.data(), {10000}, MUSTER_U8);
      filled.dict.add("small", small.data(), {10}, MUSTER_U8);
    }
    for (int round = 0; round < 2; ++round) api::broadcast_dict(group, filled.dict, 1);
    EXPECT_EQ(filled.dict.value<std::string>("value"), "from root");
    EXPECT_EQ(data_of(filled.dict.find("small")), pattern(10, 1));
    EXPECT_EQ(data_of(filled.dict.find("large")), pattern(10000, 2));
    if (group.rank() == 1) return;
    EXPECT_STREQ(filled.dict.at(0).name, "value");
    EXPECT_EQ(filled.dict.find("small").data, own[0]);
    EXPECT_EQ(filled.dict.find("large").data, own[1]);
  });
}

TEST(DictBroadcastAllocate, GivenAnAllocatorThenItIsAskedOncePerTensorThatHasData) {
  on_ranks(2, [](api::Group& group) {
    struct Given {
      std::list<std::vector<char>> memory;
      std::vector<std::string> names;
    } given;
    api::DictOptions options;
    options.context = &given;
    options.allocate = [](void* context, const muster_dict_entry* entry) -> void* {
      auto& into = *static_cast<Given*>(context);
      EXPECT_EQ(entry->data, nullptr);
      EXPECT_EQ(entry->shape[0], entry->bytes);
      into.names.emplace_back(entry->name);
      into.memory.emplace_back(entry->bytes);
      return into.memory.back().data();
    };
    Filled filled;
    if (group.rank() == 0) {
      filled.add("a", 5, 1);
      filled.add("empty", 0, 1);
      filled.dict.add_value("value", 1);
      filled.add("b", 100000, 2);
    }
    api::broadcast_dict(group, filled.dict, 0, options);
    if (group.rank() == 0) {
      EXPECT_TRUE(given.names.empty());
      return;
    }
    EXPECT_EQ(given.names, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(filled.dict.find("b").data, given.memory.back().data());
    EXPECT_EQ(given.memory.back(), pattern(100000, 2));
  });
}

TEST(DictBroadcastComposed, GivenOnlyAllGatherAndARootWhoseTensorIsReadOnlyThenItArrives) {
  static constexpr char kReadOnly[5000] = {'r', 'o', 'o', 't'};
  muster_rule rule = MockBackend::everything();
  rule.ops = MUSTER_BIT(MUSTER_ALL_GATHER);
  ThreadBackend backend("base", {rule});
  World(2).with(backend.mock()).run([](api::Runtime& runtime, uint32_t rank) {
    api::Group group(runtime);
    api::Dict dict;
    if (rank == 1) dict.add("weights", const_cast<char*>(kReadOnly), {5000}, MUSTER_U8);
    api::broadcast_dict(group, dict, 1);
    EXPECT_STREQ(static_cast<const char*>(dict.find("weights").data), "root");
    const std::vector<std::byte> got = api::broadcast_bytes(group, kReadOnly, 5000, 1);
    EXPECT_EQ(got[3], std::byte{'t'});
  });
}

TEST(DictBroadcastChecked, GivenAGroupThatComparesItsCallsThenItArrivesAllTheSame) {
  shm_world(2).run([](api::Runtime& runtime, uint32_t rank) {
    api::GroupOptions options;
    options.checked = 1;
    api::Group group(runtime, options);
    Filled filled;
    if (rank == 0) {
      filled.add("a", 10, 1);
      filled.add("b", 10000, 2);
    }
    api::broadcast_dict(group, filled.dict, 0);
    EXPECT_EQ(data_of(filled.dict.find("b")), pattern(10000, 2));
    const std::vector<int> mine(6, static_cast<int>(rank));
    std::vector<int> all(12);
    api::all_gather_dim(group, mine.data(), all.data(), {3, 2}, 1);
    EXPECT_EQ(all[2], 1);
  });
}

}  // namespace
}  // namespace muster::testing

#include "core/bootstrap/world.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "core/bootstrap/threads.hpp"
#include "tests/unit/bootstrap/support.hpp"

namespace muster {
namespace {

using ::muster::testing::as_threads;
using ::muster::testing::far_deadline;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A table with all_gather alone, made of the threads table's put and get.
muster_status* gather_over_put_get(muster_world* world, const uint32_t* ranks, uint32_t count,
                                   uint64_t tag, const void* data, uint64_t bytes,
                                   uint64_t deadline_ns, muster_bytes_sink sink, void* context) {
  const muster_bootstrap* threads = threads_bootstrap();
  thread_local std::map<std::pair<muster_world*, uint64_t>, int> turns;
  std::string key = std::to_string(tag) + "." + std::to_string(turns[{world, tag}]++);
  muster_status* status = threads->put(world, key.c_str(), data, bytes);
  struct Renamed {
    muster_bytes_sink sink;
    void* context;
    uint32_t index;
  } renamed{sink, context, 0};
  for (; status == nullptr && renamed.index < count; ++renamed.index) {
    status = threads->get(
        world, ranks[renamed.index], key.c_str(), deadline_ns,
        [](void* to, uint32_t, const void* part, uint64_t size) {
          auto* target = static_cast<Renamed*>(to);
          target->sink(target->context, target->index, part, size);
        },
        &renamed);
  }
  return status;
}

enum class Kind { kPutGet, kAllGather, kBoth };

muster_bootstrap table_of(Kind kind) {
  muster_bootstrap table = *threads_bootstrap();
  if (kind != Kind::kPutGet) table.all_gather = gather_over_put_get;
  if (kind == Kind::kAllGather) table.put = nullptr;
  if (kind == Kind::kAllGather) table.get = nullptr;
  return table;
}

class WorldOver : public ::testing::TestWithParam<Kind> {
 protected:
  // Runs body as every rank of a world.
  template <typename Body>
  void in_world(uint32_t size, Body body) {
    muster_bootstrap table = table_of(GetParam());
    muster_threads* threads = *threads_create(size);
    as_threads(size, [&](uint32_t rank) {
      ThreadsSeat seat{threads, rank};
      auto world =
          World::open(&table, reinterpret_cast<muster_instance*>(&seat), "fake", far_deadline());
      ASSERT_TRUE(world.ok()) << world.status().message();
      body(**world);
    });
    threads_destroy(threads);
  }
};

// Every non-empty subset of 4 ranks, rotated so that lists are unsorted too.
std::vector<std::vector<uint32_t>> subsets() {
  std::vector<std::vector<uint32_t>> all;
  for (uint32_t mask = 1; mask < 16; ++mask) {
    std::vector<uint32_t> ranks;
    for (uint32_t i = 0; i < 4; ++i) {
      uint32_t rank = (i + mask) % 4;
      if ((mask >> rank & 1) != 0) ranks.push_back(rank);
    }
    all.push_back(ranks);
  }
  return all;
}

bool holds(const std::vector<uint32_t>& ranks, uint32_t rank) {
  return std::find(ranks.begin(), ranks.end(), rank) != ranks.end();
}

TEST_P(WorldOver, GivenAnySubsetWhenGatheredThenEveryMemberHasAllInListOrder) {
  in_world(4, [](World& world) {
    for (const auto& ranks : subsets()) {
      if (!holds(ranks, world.rank())) continue;
      uint64_t tag = ranks.size() * 100 + ranks[0] * 10 + ranks.back();
      for (int turn = 0; turn < 3; ++turn) {
        // Lengths differ; rank 0 gives nothing in turn 0.
        std::string mine(world.rank() * 7 + static_cast<uint32_t>(turn), 'a' + world.rank());
        auto parts = world.all_gather(ranks, tag, mine, far_deadline());
        ASSERT_TRUE(parts.ok()) << parts.status().message();
        ASSERT_EQ(parts->size(), ranks.size());
        for (size_t i = 0; i < ranks.size(); ++i) {
          EXPECT_EQ((*parts)[i],
                    std::string(ranks[i] * 7 + static_cast<uint32_t>(turn), 'a' + ranks[i]));
        }
      }
    }
  });
}

TEST_P(WorldOver, GivenAnySubsetWhenBroadcastThenEveryMemberHasTheRootsBytes) {
  in_world(4, [](World& world) {
    for (const auto& ranks : subsets()) {
      if (!holds(ranks, world.rank())) continue;
      uint64_t tag = ranks.size() * 100 + ranks[0] * 10 + ranks.back();
      for (uint32_t root = 0; root < ranks.size(); ++root) {
        auto bytes = world.broadcast(ranks, tag, root, "from " + std::to_string(world.rank()),
                                     far_deadline());
        ASSERT_TRUE(bytes.ok()) << bytes.status().message();
        EXPECT_EQ(bytes.value(), "from " + std::to_string(ranks[root]));
      }
    }
  });
}

TEST_P(WorldOver, GivenValuesWhenMinMaxThenTheyAreReducedPerPosition) {
  in_world(4, [](World& world) {
    std::vector<uint32_t> ranks{3, 0, 2, 1};
    std::vector<uint64_t> values{world.rank(), UINT64_MAX - world.rank(), 7};
    auto result = world.min_max(ranks, 1, values, far_deadline());
    ASSERT_TRUE(result.ok()) << result.status().message();
    EXPECT_EQ((*result)[0].min, 0u);
    EXPECT_EQ((*result)[0].max, 3u);
    EXPECT_EQ((*result)[1].min, UINT64_MAX - 3);
    EXPECT_EQ((*result)[1].max, UINT64_MAX);
    EXPECT_EQ((*result)[2].min, 7u);
    EXPECT_EQ((*result)[2].max, 7u);
  });
}

TEST_P(WorldOver, GivenDifferentCountsWhenMinMaxThenTheOtherRankIsNamed) {
  in_world(2, [](World& world) {
    std::vector<uint64_t> values(1 + world.rank());
    std::vector<uint32_t> ranks{0, 1};
    auto result = world.min_max(ranks, 1, values, far_deadline());
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.status().code(), uint32_t{MUSTER_MISMATCH});
    EXPECT_THAT(result.status().cause(),
                HasSubstr("world rank " + std::to_string(1 - world.rank()) + " gave"));
  });
}

TEST_P(WorldOver, GivenABarrierWhenOneLeavesItThenAllHaveCome) {
  std::atomic<int> come = 0;
  in_world(4, [&](World& world) {
    std::vector<uint32_t> ranks{0, 1, 2, 3};
    ++come;
    Status status = world.barrier(ranks, 5, far_deadline());
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(come.load(), 4);
  });
}

TEST_P(WorldOver, GivenAPeerThatHasLeftWhenGatheredThenPeerLostNamesIt) {
  in_world(2, [](World& world) {
    std::vector<uint32_t> ranks{0, 1};
    if (world.rank() == 1) return;
    auto parts = world.all_gather(ranks, 9, "x", far_deadline());
    ASSERT_FALSE(parts.ok());
    EXPECT_EQ(parts.status().code(), uint32_t{MUSTER_PEER_LOST});
    EXPECT_THAT(parts.status().cause(), HasSubstr("rank 1"));
  });
}

TEST_P(WorldOver, GivenAPeerThatNeverComesWhenGatheredThenTheDeadlineNamesIt) {
  muster_bootstrap table = table_of(GetParam());
  muster_threads* threads = *threads_create(2);
  ThreadsSeat seat{threads, 0};
  {
    auto world =
        World::open(&table, reinterpret_cast<muster_instance*>(&seat), "fake", far_deadline());
    ASSERT_TRUE(world.ok());
    std::vector<uint32_t> ranks{0, 1};
    Status status = (*world)->barrier(ranks, 9, testing::near_deadline());
    EXPECT_EQ(status.code(), uint32_t{MUSTER_DEADLINE_EXCEEDED});
    EXPECT_THAT(status.cause(), HasSubstr("rank 1"));
  }
  threads_destroy(threads);
}

TEST_P(WorldOver, GivenWrongMembersWhenExchangingThenNothingIsSent) {
  in_world(1, [](World& world) {
    auto code = [&](std::vector<uint32_t> ranks) {
      return world.barrier(ranks, 1, far_deadline()).code();
    };
    EXPECT_EQ(code({}), uint32_t{MUSTER_INVALID_ARGUMENT});
    EXPECT_EQ(code({0, 1}), uint32_t{MUSTER_INVALID_ARGUMENT});
    EXPECT_EQ(code({0, 0}), uint32_t{MUSTER_INVALID_ARGUMENT});
    std::vector<uint32_t> self{0};
    EXPECT_EQ(world.broadcast(self, 1, 1, "", far_deadline()).status().code(),
              uint32_t{MUSTER_INVALID_ARGUMENT});
  });
}

INSTANTIATE_TEST_SUITE_P(Tables, WorldOver,
                         ::testing::Values(Kind::kPutGet, Kind::kAllGather, Kind::kBoth),
                         [](const auto& kind) {
                           return kind.param == Kind::kPutGet      ? "PutGet"
                                  : kind.param == Kind::kAllGather ? "AllGather"
                                                                   : "Both";
                         });

Status open_status(const muster_bootstrap* table, muster_instance* instance = nullptr) {
  auto world = World::open(table, instance, "fake", far_deadline());
  return world.take_status();
}

TEST(WorldOpen, GivenATableWithTooLittleWhenOpenedThenTheStatusSaysWhatIsMissing) {
  muster_bootstrap table = *single_bootstrap();
  table.all_gather = nullptr;
  table.get = threads_bootstrap()->get;
  EXPECT_THAT(open_status(&table).cause(), HasSubstr("neither put and get nor all_gather"));
  table = *single_bootstrap();
  table.close = nullptr;
  EXPECT_THAT(open_status(&table).cause(), HasSubstr("open, rank, size or close is missing"));
  table = *single_bootstrap();
  table.struct_size = 16;
  EXPECT_THAT(open_status(&table).cause(), HasSubstr("struct_size is 16"));
  EXPECT_EQ(open_status(nullptr).code(), uint32_t{MUSTER_INVALID_ARGUMENT});
}

TEST(WorldOpen, GivenATableWithAnImpossibleRankWhenOpenedThenItIsRefusedAndClosed) {
  static int closed;
  closed = 0;
  muster_bootstrap table = *single_bootstrap();
  table.close = [](muster_world*, uint64_t) { ++closed; };
  table.rank = [](muster_world*) { return 1u; };
  EXPECT_THAT(open_status(&table).cause(), HasSubstr("rank 1 of 1"));
  table.rank = single_bootstrap()->rank;
  table.size = [](muster_world*) { return 0u; };
  EXPECT_THAT(open_status(&table).cause(), HasSubstr("rank 0 of 0"));
  EXPECT_EQ(closed, 2);
}

TEST(WorldOpen, GivenATableThatFailsWhenOpenedThenItsStatusIsGivenWithTheName) {
  muster_bootstrap table = *single_bootstrap();
  table.open = [](muster_instance*, uint64_t, muster_world**) {
    return Status(MUSTER_UNAVAILABLE, "no server").release();
  };
  Status status = open_status(&table);
  EXPECT_EQ(status.code(), uint32_t{MUSTER_UNAVAILABLE});
  EXPECT_EQ(status.cause(), "bootstrap fake: no server");
  table.open = [](muster_instance*, uint64_t, muster_world**) -> muster_status* { return nullptr; };
  EXPECT_THAT(open_status(&table).cause(), HasSubstr("open gave no world"));
}

template <auto kGive>
Status gather_from() {
  muster_bootstrap table = *single_bootstrap();
  table.size = [](muster_world*) { return 2u; };
  table.all_gather = [](muster_world*, const uint32_t*, uint32_t, uint64_t, const void*, uint64_t,
                        uint64_t, muster_bytes_sink sink, void* context) -> muster_status* {
    kGive(sink, context);
    return nullptr;
  };
  auto world = World::open(&table, nullptr, "fake", far_deadline());
  std::vector<uint32_t> ranks{0, 1};
  return (*world)->barrier(ranks, 1, far_deadline());
}

void give_one(muster_bytes_sink sink, void* context) { sink(context, 0, "a", 1); }
void give_twice(muster_bytes_sink sink, void* context) {
  sink(context, 0, "a", 1);
  sink(context, 0, "a", 1);
}
void give_beyond(muster_bytes_sink sink, void* context) { sink(context, 2, "a", 1); }

TEST(WorldGather, GivenATableThatMiscountsWhenGatheredThenItIsCalledADefect) {
  EXPECT_THAT(gather_from<give_one>().cause(), HasSubstr("nothing was given for world rank 1"));
  EXPECT_THAT(gather_from<give_twice>().cause(), HasSubstr("gave index 0 twice"));
  EXPECT_THAT(gather_from<give_beyond>().cause(), HasSubstr("gave index 2 of 2"));
}

TEST(WorldSingle, GivenAWorldOfOneWhenExchangingThenItsOwnBytesComeBack) {
  auto world = World::open(single_bootstrap(), nullptr, "single", far_deadline());
  ASSERT_TRUE(world.ok());
  EXPECT_EQ((*world)->rank(), 0u);
  EXPECT_EQ((*world)->size(), 1u);
  std::vector<uint32_t> ranks{0};
  auto parts = (*world)->all_gather(ranks, 1, "own", far_deadline());
  ASSERT_TRUE(parts.ok());
  EXPECT_THAT(parts.value(), ElementsAre("own"));
  EXPECT_EQ((*world)->broadcast(ranks, 1, 0, "own", far_deadline()).value(), "own");
}

}  // namespace
}  // namespace muster

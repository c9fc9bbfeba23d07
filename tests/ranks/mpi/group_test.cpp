// Groups and the bootstrap: facts, offers, subsets, and how waiting ends.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/ranks/mpi/session.hpp"

namespace muster::testing {
namespace {

muster_call recv_from(uint32_t peer, void* data, uint64_t bytes) {
  muster_call call{};
  call.struct_size = MUSTER_CALL_SIZE;
  call.op = MUSTER_RECV;
  call.dtype = MUSTER_U8;
  call.peer = peer;
  call.recv = data;
  call.count = bytes;
  return call;
}

muster_call send_to(uint32_t peer, const void* data, uint64_t bytes) {
  muster_call call = recv_from(peer, nullptr, bytes);
  call.op = MUSTER_SEND;
  call.send = data;
  return call;
}

muster_call barrier() {
  muster_call call{};
  call.struct_size = MUSTER_CALL_SIZE;
  call.op = MUSTER_BARRIER;
  return call;
}

TEST(Probe, ReportsTheRankOfTheJob) {
  auto facts = session().plugin->probe();
  EXPECT_EQ(facts["mpi.version"].rfind("Open MPI v", 0), 0u) << facts["mpi.version"];
  EXPECT_EQ(facts["mpi.rank"], std::to_string(session().world->rank()));
  EXPECT_EQ(facts["mpi.size"], std::to_string(session().world->size()));
  EXPECT_EQ(facts["mpi.state"], "initialised");
  EXPECT_NE(facts["mpi.job"], "");
}

TEST(Bootstrap, GathersBytesOfDifferentLengthsFromAnySubset) {
  const World& world = *session().world;
  const auto bytes_of_rank = [](uint32_t rank) {
    return std::string(rank == 1 ? 0 : 70'000 * rank + 3, static_cast<char>('a' + rank));
  };
  for (uint64_t tag : {UINT64_C(0), UINT64_C(7), UINT64_MAX}) {
    for (uint32_t left_out = 0; left_out <= world.size(); ++left_out) {
      std::vector<uint32_t> ranks;
      for (uint32_t r = world.size(); r-- > 0;) {
        if (r != left_out) ranks.push_back(r);
      }
      if (left_out == world.rank()) continue;
      std::vector<std::string> parts;
      const Outcome outcome = world.all_gather(ranks, tag, bytes_of_rank(world.rank()), parts);
      ASSERT_TRUE(outcome.ok()) << outcome.cause;
      ASSERT_EQ(parts.size(), ranks.size());
      for (size_t i = 0; i < ranks.size(); ++i) {
        EXPECT_EQ(parts[i], bytes_of_rank(ranks[i]));
      }
    }
  }
}

TEST(Bootstrap, NamesTheRankThatDidNotCome) {
  // Its own world: the exchange that nobody completes ends it.
  World world(*session().plugin);
  ASSERT_TRUE(world.opened().ok());
  if (world.rank() == 0) {
    std::vector<std::string> parts;
    const Outcome outcome = world.all_gather({0, 1}, 5, "x", parts, 200);
    EXPECT_EQ(outcome.code, static_cast<muster_code>(MUSTER_DEADLINE_EXCEEDED));
    EXPECT_NE(outcome.cause.find("rank 1"), std::string::npos) << outcome.cause;
  }
}

TEST(Bootstrap, ExchangesOfDifferentTagsRunAtTheSameTime) {
  const World& world = *session().world;
  std::vector<std::string> first;
  std::vector<std::string> second;
  Outcome other;
  std::thread thread([&] { other = world.all_gather(world.everybody(), 91, "one", first); });
  const Outcome outcome = world.all_gather(world.everybody(), 92, "two", second);
  thread.join();
  EXPECT_TRUE(outcome.ok() && other.ok()) << outcome.cause << other.cause;
  EXPECT_EQ(first, std::vector<std::string>(world.size(), "one"));
  EXPECT_EQ(second, std::vector<std::string>(world.size(), "two"));
}

TEST(Groups, OfASubsetInAnotherOrderWork) {
  const World& world = *session().world;
  std::vector<uint32_t> ranks;
  for (uint32_t r = world.size(); r-- > 0;) {
    if (world.size() == 2 || r != 1) ranks.push_back(r);
  }
  const uint64_t tag = session().next_tag++;
  if (world.size() > 2 && world.rank() == 1) return;
  Group group(world, ranks, tag);
  ASSERT_TRUE(group.connected().ok()) << group.connected().cause;
  const auto mine = static_cast<unsigned char>(world.rank());
  std::vector<unsigned char> all(ranks.size());
  muster_call call = send_to(0, &mine, 1);
  call.op = MUSTER_ALL_GATHER;
  call.recv = all.data();
  EXPECT_TRUE(group.execute(call).ok());
  for (size_t i = 0; i < ranks.size(); ++i) EXPECT_EQ(all[i], ranks[i]);
}

TEST(Groups, AreDestroyedByOneRankWithoutWaitingForOthers) {
  const auto group = session().group();
  const auto watch = session().group();
  if (group->rank() == 0) group->destroy();
  EXPECT_TRUE(watch->execute(barrier()).ok());
}

TEST(Groups, AreGivenUpInBoundedTimeByALateRankToo) {
  World world(*session().plugin);  // its own: the exchange that is given up ends it
  GroupOptions options;
  options.connect_timeout_ms = 200;
  const uint64_t tag = session().next_tag++;
  const auto meet = [] {
    std::vector<std::string> parts;
    const World& all = *session().world;
    EXPECT_TRUE(all.all_gather(all.everybody(), 17, "", parts).ok());
  };
  if (world.rank() != 0) meet();
  {
    Group group(world, world.everybody(), tag, options);
    EXPECT_EQ(group.connected().code, static_cast<muster_code>(MUSTER_DEADLINE_EXCEEDED));
  }
  if (world.rank() == 0) meet();
}

TEST(Waiting, EndsAtTheDeadlineAndNamesTheRank) {
  GroupOptions options;
  options.timeout_ms = 300;
  const auto group = session().group(options);
  if (group->rank() == 0) {
    unsigned char byte = 0;
    const Outcome outcome = group->execute(recv_from(1, &byte, 1));
    EXPECT_EQ(outcome.code, static_cast<muster_code>(MUSTER_DEADLINE_EXCEEDED));
    EXPECT_NE(outcome.cause.find("rank 1"), std::string::npos) << outcome.cause;
    EXPECT_EQ(group->execute(barrier()).code, static_cast<muster_code>(MUSTER_FAILED_PRECONDITION));
  }
}

TEST(Waiting, ForACollectiveEndsAtTheDeadline) {
  GroupOptions options;
  options.timeout_ms = 300;
  const auto group = session().group(options);
  if (group->rank() == 0) {
    EXPECT_EQ(group->execute(barrier()).code, static_cast<muster_code>(MUSTER_DEADLINE_EXCEEDED));
  }
}

TEST(Waiting, EndsWhenThePeerIsGone) {
  GroupOptions options;
  options.lost_peer = 1;
  const auto group = session().group(options);
  if (group->rank() == 0) {
    const Outcome outcome = group->execute(barrier());
    EXPECT_EQ(outcome.code, static_cast<muster_code>(MUSTER_PEER_LOST));
    EXPECT_NE(outcome.cause.find("rank 1"), std::string::npos) << outcome.cause;
  }
}

TEST(Waiting, EndsWhenTheGroupIsAborted) {
  const auto group = session().group();
  if (group->rank() == 0) {
    std::thread thread([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      group->abort();
    });
    unsigned char byte = 0;
    EXPECT_EQ(group->execute(recv_from(1, &byte, 1)).code,
              static_cast<muster_code>(MUSTER_ABORTED));
    thread.join();
  }
}

TEST(Messages, OfAnotherLengthThanExpectedAreAMismatch) {
  for (uint64_t sent : {4, 16}) {
    const auto group = session().group();
    unsigned char data[16] = {};
    if (group->rank() == 0) {
      EXPECT_EQ(group->execute(recv_from(1, data, 8)).code,
                static_cast<muster_code>(MUSTER_MISMATCH));
    } else if (group->rank() == 1) {
      EXPECT_TRUE(group->execute(send_to(0, data, sent)).ok());
    }
  }
}

TEST(Offers, DependOnlyOnWhatIsAsked) {
  OfferQuestion question;
  question.places = {{0, 0, 0, -1}, {1, 0, 1, -1}};
  const std::map<std::string, std::string> first = {
      {"mpi.job", "a"}, {"mpi.rank", "0"}, {"mpi.state", "launched"}};
  question.facts = {first, first};
  question.facts[1]["mpi.rank"] = "1";
  const Plugin& plugin = *session().plugin;
  EXPECT_EQ(ask(plugin, question).declined, "");
  EXPECT_EQ(ask(plugin, question).rules.size(), 5u);

  OfferQuestion other = question;
  other.facts[1].clear();
  EXPECT_EQ(ask(plugin, other).declined,
            "rank 1 was not started by an MPI launcher and has not called MPI_Init");
  other = question;
  other.facts[1]["mpi.job"] = "b";
  EXPECT_EQ(ask(plugin, other).declined, "rank 1 belongs to another MPI job than rank 0");
  other.adopt_comm = "1";
  EXPECT_EQ(ask(plugin, other).declined, "");
  other = question;
  other.bootstrap = "custom";
  EXPECT_EQ(ask(plugin, other).declined,
            "rank 0 has not called MPI_Init, and the ranks did not meet through bootstrap mpi");
  other = question;
  other.places[1].process = 0;
  EXPECT_EQ(ask(plugin, other).declined,
            "rank 1 shares its process with another rank; MPI has one rank per process");
  other = question;
  other.places.pop_back();
  EXPECT_EQ(ask(plugin, other).declined, "a group of one rank needs no MPI");
}

}  // namespace
}  // namespace muster::testing

// What ranks tell each other when they meet: its text form, who is refused, who lives where.
#include "core/agree/rank_record.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/agree/candidates.hpp"

namespace muster {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

RankRecord full_record() {
  RankRecord record;
  record.version = "1.2.3";
  record.node = "node-a/net:[1]";
  record.process = "17-00ff";
  record.device = 3;
  record.channel = "@muster/1";
  record.policy_digest = "abc";
  record.policy_sources = "/etc/muster.toml";
  record.failure = "INTERNAL: \"quoted\"\nline";
  record.builds = true;
  record.memory_kinds = "cuda hip";
  record.plugins["shm"] = {"0.1.0", "", {{"cpus", "8"}, {"pages", "2MiB"}}};
  record.plugins["mpi"] = {"2.0.0", "no launcher", {}};
  return record;
}

TEST(ThisProcess, GivenAForkedChildThenItIsAnotherProcessThanItsParent) {
  const std::string parent = this_process();
  EXPECT_EQ(this_process(), parent);
  const pid_t child = fork();
  if (child == 0) _exit(this_process() == parent ? 1 : 0);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(RankRecord, GivenARecordThenItComesBackWhole) {
  const RankRecord record = full_record();
  const Result<RankRecord> back = decode_rank_record(encode(record));
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(back->version, record.version);
  EXPECT_EQ(back->node, record.node);
  EXPECT_EQ(back->process, record.process);
  EXPECT_EQ(back->device, record.device);
  EXPECT_EQ(back->channel, record.channel);
  EXPECT_EQ(back->policy_digest, record.policy_digest);
  EXPECT_EQ(back->policy_sources, record.policy_sources);
  EXPECT_EQ(back->failure, record.failure);
  EXPECT_TRUE(back->builds);
  EXPECT_EQ(back->memory_kinds, record.memory_kinds);
  ASSERT_EQ(back->plugins.size(), 2u);
  EXPECT_EQ(back->plugins.at("shm").facts, record.plugins.at("shm").facts);
  EXPECT_EQ(back->plugins.at("mpi").unusable, "no launcher");
  EXPECT_EQ(back->plugins.at("mpi").version, "2.0.0");
}

TEST(RankRecord, GivenKindsOfMemoryThenThoseThatEveryRankHasAreKnown) {
  RankRecord both;
  both.memory_kinds = "cuda hip";
  RankRecord one;
  one.memory_kinds = "hip";
  EXPECT_EQ(memory_known_to_all({&both, &both}), MUSTER_BIT(MUSTER_CUDA) | MUSTER_BIT(MUSTER_HIP));
  EXPECT_EQ(memory_known_to_all({&both, &one}), MUSTER_BIT(MUSTER_HIP));
  one.memory_kinds = "hi";
  EXPECT_EQ(memory_known_to_all({&both, &one}), 0u);
}

TEST(RankRecord, GivenAnEmptyRecordThenItComesBackEmpty) {
  const Result<RankRecord> back = decode_rank_record(encode(RankRecord()));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->device, -1);
  EXPECT_TRUE(back->plugins.empty());
}

TEST(RankRecord, GivenBytesThatAreNoTextThenTheRestStillArrives) {
  RankRecord record;
  record.failure = "bad byte \xff here";
  const Result<RankRecord> back = decode_rank_record(encode(record));
  ASSERT_TRUE(back.ok());
  EXPECT_THAT(back->failure, HasSubstr("bad byte"));
}

TEST(RankRecord, GivenSomethingElseThenDecodingSaysSo) {
  std::string cut = encode(full_record());
  cut.resize(cut.size() / 2);
  for (const std::string& bytes : {std::string(), std::string("{}"), std::string("[1,2]"), cut,
                                   std::string("{\"version\": 3}"), std::string("\0\1\2", 3)}) {
    const Result<RankRecord> back = decode_rank_record(bytes);
    ASSERT_FALSE(back.ok()) << bytes;
    EXPECT_EQ(back.status().code(), MUSTER_DATA_LOSS);
    EXPECT_FALSE(back.status().remedy().empty());
  }
}

TEST(RankRecord, GivenThisProcessThenItsNameIsStableAndNotEmpty) {
  EXPECT_FALSE(this_node().empty());
  EXPECT_EQ(this_node(), this_node());
  EXPECT_EQ(this_process(), this_process());
}

std::vector<RankRecord> alike(size_t count) {
  RankRecord record;
  record.version = "1.0.0";
  record.policy_digest = "d";
  record.policy_sources = "a.toml";
  return std::vector<RankRecord>(count, record);
}

TEST(CheckWorld, GivenRecordsThatAgreeThenTheWorldIsGood) {
  EXPECT_TRUE(check_world(alike(4)).ok());
  EXPECT_TRUE(check_world(alike(1)).ok());
}

TEST(CheckWorld, GivenARankThatFailedThenItIsNamedWithItsCauseBeforeAnythingElse) {
  std::vector<RankRecord> records = alike(4);
  records[1].version = "2.0.0";
  records[2].failure = "INTERNAL: boom";
  const Status status = check_world(records);
  EXPECT_EQ(status.code(), MUSTER_ABORTED);
  EXPECT_THAT(status.cause(), HasSubstr("rank 2 could not start: INTERNAL: boom"));
}

TEST(CheckWorld, GivenAnotherVersionThenBothRanksAndVersionsAreNamed) {
  std::vector<RankRecord> records = alike(4);
  records[3].version = "1.0.1";
  const Status status = check_world(records);
  EXPECT_EQ(status.code(), MUSTER_MISMATCH);
  EXPECT_THAT(status.cause(), AllOf(HasSubstr("rank 0 runs muster 1.0.0"), HasSubstr("rank 3"),
                                    HasSubstr("1.0.1")));
}

TEST(CheckWorld, GivenAnotherPolicyThenBothRanksAndSourcesAreNamed) {
  std::vector<RankRecord> records = alike(4);
  records[2].policy_digest = "e";
  records[2].policy_sources = "b.toml";
  const Status status = check_world(records);
  EXPECT_EQ(status.code(), MUSTER_MISMATCH);
  EXPECT_THAT(status.cause(),
              AllOf(HasSubstr("rank 0 from a.toml"), HasSubstr("rank 2 from b.toml")));
}

TEST(Places, GivenNodesAndProcessesThenTheyAreNumberedInOrderOfAppearance) {
  std::vector<RankRecord> records(5);
  const char* const nodes[] = {"x", "y", "x", "y", "x"};
  const char* const processes[] = {"1", "1", "1", "2", "3"};
  for (size_t r = 0; r < records.size(); ++r) {
    records[r].node = nodes[r];
    records[r].process = processes[r];
    records[r].device = static_cast<int32_t>(r) - 1;
  }
  const std::vector<muster_rank_place> places = places_of(records);
  const uint32_t expected_nodes[] = {0, 1, 0, 1, 0};
  const uint32_t expected_processes[] = {0, 1, 0, 2, 3};  // process 1 of x is not process 1 of y
  for (uint32_t r = 0; r < 5; ++r) {
    EXPECT_EQ(places[r].world_rank, r);
    EXPECT_EQ(places[r].node, expected_nodes[r]) << r;
    EXPECT_EQ(places[r].process, expected_processes[r]) << r;
    EXPECT_EQ(places[r].device, static_cast<int32_t>(r) - 1);
  }
}

}  // namespace
}  // namespace muster

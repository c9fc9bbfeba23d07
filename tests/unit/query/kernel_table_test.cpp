// Which kernels a runtime uses: by score, of what every rank has ready.
#include "core/query/kernel_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/kernels/registry.hpp"

namespace muster {
namespace {

using ::testing::HasSubstr;

KernelGroup group_of(const char* algorithm, const char* architecture, int32_t score,
                     const char* digest = "0123456789") {
  KernelGroup group;
  group.family = "host_reduce/1";
  group.algorithm = algorithm;
  group.architecture = architecture;
  group.digest = digest;
  group.score = score;
  group.redops[MUSTER_F32] = 1u << MUSTER_SUM;
  return group;
}

FoundPlugin pack(const std::string& id, std::vector<KernelGroup> ready,
                 std::vector<std::string> faults = {}) {
  FoundPlugin plugin;
  plugin.path = "/packs/" + id + ".so";
  plugin.entry.id = id;
  plugin.entry.interfaces = {MUSTER_KERNELS_INTERFACE};
  plugin.state = PluginState::kUsable;
  plugin.kernels = PackReport{std::move(ready), {}, std::move(faults), ""};
  return plugin;
}

class Table : public ::testing::Test {
 protected:
  Table() { config_.plugins_cache_dir.value = "/nonexistent/muster"; }
  void add(const std::vector<FoundPlugin>& found) { table_.add_found(found, config_, records_); }
  void agree_alone() {
    const ReadyPacks ready = table_.ready();
    table_.agree({&ready}, records_);
  }
  std::string used(const std::string& algorithm) const {
    std::string all;
    for (const KernelsInUse& used : table_.in_use()) {
      if (used.family == "host_reduce/1" && used.algorithm == algorithm && !used.pack.empty())
        all += used.pack + ":" + std::to_string(used.pairs) + " ";
    }
    return all;
  }
  // How many pairs of dtype and reduce operation the cached kernels of a family serve.
  uint32_t pairs_in_use(const std::string& family) const {
    uint32_t pairs = 0;
    for (const KernelsInUse& used : table_.in_use()) {
      if (used.family == family && used.algorithm == "cached") pairs += used.pairs;
    }
    return pairs;
  }
  std::string reasons() const {
    std::string all;
    for (const Record& record : records_.all())
      all += record.subject + " " + record.verdict + ": " + record.reason + "\n";
    return all;
  }
  Config config_;
  Records records_;
  KernelTable table_;
};

muster_kernel_key f32_sum() {
  return {MUSTER_KERNEL_KEY_SIZE, MUSTER_F32, MUSTER_SUM, 0, "host_reduce/1", nullptr, nullptr};
}

TEST_F(Table, GivenNoPackThenTheBuiltInKernelsAnswer) {
  agree_alone();
  EXPECT_EQ(table_.find(f32_sum()), find_kernel(f32_sum()));
  EXPECT_EQ(table_.in_use().size(), builtin_families().size());
}

TEST_F(Table, GivenPacksThenTheHighestScoreIsUsedWhateverTheOrder) {
  add({pack("a", {group_of("cached", "x86-64-v2", 20, "1")}),
       pack("b", {group_of("cached", "x86-64-v3", 30, "2")}),
       pack("c", {group_of("cached", "x86-64-v1", -1, "3")})});
  agree_alone();
  EXPECT_EQ(used("cached"), "b:1 ");
}

TEST_F(Table, GivenAScoreBelowTheBuiltInOneThenItIsNotUsed) {
  add({pack("a", {group_of("cached", "x86-64-v2", 0)})});
  agree_alone();
  EXPECT_EQ(used("cached"), "");
}

TEST_F(Table, GivenAFasterReductionThenNoPairBelowItsScoreIsHandedOut) {
  muster_kernel_key pair = f32_sum();
  pair.family = "host_reduce_pair/1";
  add({pack("a", {group_of("cached", "x86-64-v3", 30)})});
  EXPECT_EQ(table_.find(pair), find_kernel(pair)) << "before anything is agreed on";
  agree_alone();
  EXPECT_EQ(table_.find(pair), nullptr);
  EXPECT_EQ(pairs_in_use("host_reduce_pair/1") + 1, pairs_in_use("host_reduce/1"))
      << "what is withheld is not said to be used";
  pair.redop = MUSTER_MAX;  // the pack has no such reduction
  EXPECT_EQ(table_.find(pair), find_kernel(pair));
}

TEST_F(Table, GivenARankWithoutAPackThenNoRankUsesItAndTheRankIsNamed) {
  add({pack("a", {group_of("cached", "x86-64-v2", 20, "1")}),
       pack("b", {group_of("cached", "x86-64-v3", 30, "2")})});
  const ReadyPacks mine = table_.ready();
  ReadyPacks theirs = mine;
  theirs.erase("b");
  table_.agree({&mine, &theirs}, records_);
  EXPECT_EQ(used("cached"), "a:1 ");
  EXPECT_THAT(reasons(), HasSubstr("kernels of b left out: rank 1 does not have them ready"));
}

TEST_F(Table, GivenARankWhosePackHasOtherVariantsThenNoRankUsesIt) {
  add({pack("a", {group_of("cached", "x86-64-v2", 20)})});
  const ReadyPacks mine = table_.ready();
  const ReadyPacks theirs = {{"a", "another digest"}};
  table_.agree({&theirs, &mine}, records_);
  EXPECT_EQ(used("cached"), "");
  EXPECT_THAT(reasons(), HasSubstr("rank 0 has others ready under this name"));
}

TEST_F(Table, GivenAlgorithmsOfOneKeyThenEachIsUsedUnderItsOwnName) {
  add({pack("push", {group_of("push", "x86-64-v3", 10)}),
       pack("pull", {group_of("pull", "x86-64-v3", 10)})});
  EXPECT_EQ(table_.ready().size(), 2u);
  agree_alone();
  EXPECT_THAT(reasons(), Not(HasSubstr("refused")));
}

TEST_F(Table, GivenOneKeyAndDigestInTwoPacksThenTheSecondIsAnErrorThatNamesTheFirst) {
  add({pack("z", {group_of("cached", "x86-64-v3", 10)}),
       pack("a", {group_of("cached", "x86-64-v3", 10)})});
  agree_alone();
  EXPECT_EQ(used("cached"), "z:1 ");
  EXPECT_THAT(reasons(), HasSubstr("refused: /packs/z.so has the same variants"));
}

TEST_F(Table, GivenAVariantThatFailedItsTestThenTheRecordSaysWhich) {
  add({pack("a", {}, {"host_reduce/1 cached f32 sum x86-64-v3: element 3 of 9 is wrong"})});
  EXPECT_THAT(reasons(), HasSubstr("kernels of a left out: host_reduce/1 cached f32 sum"));
}

TEST_F(Table, GivenAnArchitectureInTheConfigurationThenOnlyItsKernelsAreUsed) {
  config_.kernels_architecture.value = "x86-64-v2";
  add({pack("a", {group_of("cached", "x86-64-v2", 20, "1")}),
       pack("b", {group_of("cached", "x86-64-v3", 30, "2")})});
  agree_alone();
  EXPECT_EQ(used("cached"), "a:1 ");
}

TEST_F(Table, GivenNothingAgreedYetThenOnlyBuiltInKernelsAnswer) {
  add({pack("a", {group_of("cached", "x86-64-v2", 20)})});
  EXPECT_EQ(table_.find(f32_sum()), find_kernel(f32_sum()));
}

TEST_F(Table, GivenAPackThatCannotBeOpenedAfterAllThenTheBuiltInKernelServes) {
  add({pack("a", {group_of("cached", "x86-64-v2", 20)})});
  agree_alone();
  EXPECT_EQ(table_.find(f32_sum()), find_kernel(f32_sum()));
  EXPECT_THAT(reasons(), HasSubstr("/packs/a.so"));
}

}  // namespace
}  // namespace muster

#include "core/discover/judgement.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/unit/discover/test_directory.hpp"

namespace muster {
namespace {

using testing::AllOf;
using testing::HasSubstr;

EntryRecord speaking(uint32_t major, uint32_t minor, uint32_t min_host_minor) {
  EntryRecord entry;
  entry.struct_size = MUSTER_PLUGIN_ENTRY_SIZE;
  entry.id = "acme";
  entry.vendor = "Acme";
  entry.abi_major = major;
  entry.abi_minor = minor;
  entry.min_host_minor = min_host_minor;
  return entry;
}

TEST(JudgeAbi, GivenRangesThatMeetWhenJudgedThenGood) {
  const AbiRange runtime{2, 3, 5};
  EXPECT_EQ(judge_abi(speaking(2, 3, 0), runtime), "");
  EXPECT_EQ(judge_abi(speaking(2, 5, 5), runtime), "");
  EXPECT_EQ(judge_abi(speaking(2, 9, 5), runtime), "") << "newer, but works with this runtime";
}

TEST(JudgeAbi, GivenRangesThatDoNotMeetWhenJudgedThenBothAreNamed) {
  const AbiRange runtime{2, 3, 5};
  EXPECT_THAT(judge_abi(speaking(1, 4, 0), runtime),
              AllOf(HasSubstr("too old"), HasSubstr("1.4"), HasSubstr("2.3 to 2.5")));
  EXPECT_THAT(judge_abi(speaking(2, 2, 0), runtime),
              AllOf(HasSubstr("too old"), HasSubstr("2.2"), HasSubstr("2.3 to 2.5")));
  EXPECT_THAT(judge_abi(speaking(2, 6, 6), runtime),
              AllOf(HasSubstr("too new"), HasSubstr("2.6"), HasSubstr("2.3 to 2.5")));
  EXPECT_THAT(judge_abi(speaking(3, 0, 0), runtime), HasSubstr("too new"));
}

TEST(JudgeAbi, GivenARecordShorterThanItsVersionWhenJudgedThenItIsMalformed) {
  EntryRecord entry = speaking(MUSTER_ABI_MAJOR, MUSTER_ABI_MINOR, 0);
  entry.struct_size = MUSTER_PLUGIN_ENTRY_FROZEN_SIZE;
  EXPECT_THAT(judge_abi(entry), HasSubstr("malformed"));
}

TEST(JudgeBuildTag, GivenTagsWhenJudgedThenOnlySanitizerAndDeviceRuntimeRefuse) {
  std::string note;
  EXPECT_EQ(judge_build_tag("gnu/glibc/none/none", "gnu/glibc/none/none", note), "");
  EXPECT_EQ(note, "");
  EXPECT_EQ(judge_build_tag("clang/glibc/none/none", "gnu/glibc/none/none", note), "");
  EXPECT_THAT(note, HasSubstr("clang"));
  EXPECT_EQ(judge_build_tag("gnu/glibc/none/cuda13", "gnu/glibc/none/none", note), "");
  EXPECT_EQ(judge_build_tag("gnu/glibc/none/none", "gnu/glibc/none/cuda13", note), "");
  EXPECT_THAT(judge_build_tag("gnu/glibc/none/cuda12", "gnu/glibc/none/cuda13", note),
              AllOf(HasSubstr("cuda12"), HasSubstr("cuda13")));
  EXPECT_THAT(judge_build_tag("gnu/glibc/address/none", "gnu/glibc/none/none", note),
              AllOf(HasSubstr("sanitizer"), HasSubstr("address")));
  EXPECT_THAT(judge_build_tag("gnu/glibc", "gnu/glibc/none/none", note), HasSubstr("gnu/glibc"));
  EXPECT_NE(judge_build_tag("a/b/none/none/e", "gnu/glibc/none/none", note), "");
}

class JudgeFile : public PluginDirectory {
 protected:
  FoundPlugin judge(const std::string& path) { return judge_file(path, config); }
};

TEST_F(JudgeFile, GivenAGoodFileWhenJudgedThenItIsUsableAndNotOpened) {
  const FoundPlugin found = judge(put("good"));
  EXPECT_EQ(found.state, PluginState::kUsable) << found.reason;
  EXPECT_EQ(found.entry.id, "good");
  EXPECT_EQ(traces(), 0u);
}

TEST_F(JudgeFile, GivenAPathThatDoesNotExistWhenJudgedThenItSaysSo) {
  EXPECT_THAT(judge(plugins + "/none.so").reason, HasSubstr("cannot be found"));
}

TEST_F(JudgeFile, GivenADirectoryOrAPipeWhenJudgedThenItIsNoRegularFile) {
  EXPECT_THAT(judge(plugins).reason, HasSubstr("not a regular file"));
  const std::string pipe = plugins + "/pipe.so";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(judge(pipe).reason, HasSubstr("not a regular file"));
}

TEST_F(JudgeFile, GivenAFileThatEveryoneMayWriteWhenJudgedThenItIsRefusedByName) {
  const std::string path = put("good");
  ASSERT_EQ(chmod(path.c_str(), 0646), 0);
  const FoundPlugin found = judge(path);
  EXPECT_EQ(found.state, PluginState::kRefused);
  EXPECT_THAT(found.reason, AllOf(HasSubstr("writable by everyone"), HasSubstr(path)));
  EXPECT_EQ(found.entry.id, "good") << "a refusal names id and vendor";
}

TEST_F(JudgeFile, GivenADirectoryThatEveryoneMayWriteWhenJudgedThenItsFilesAreRefused) {
  const std::string path = put("good");
  ASSERT_EQ(chmod(plugins.c_str(), 0777), 0);
  EXPECT_THAT(judge(path).reason, AllOf(HasSubstr("directory"), HasSubstr("by everyone")));
}

TEST_F(JudgeFile, GivenTheCallersOwnGroupMayWriteWhenJudgedThenItIsTrusted) {
  const std::string path = put("good");
  ASSERT_EQ(chmod(path.c_str(), 0664), 0);
  EXPECT_EQ(judge(path).state, PluginState::kUsable);
}

// A policy can be asked about files that only root could make.
TEST(FileTrust, GivenOwnersAndGroupsWhenAskedThenOnlyTheTrustedPass) {
  Config config;
  TrustPolicy policy = trust_policy(config);
  struct stat status {};
  status.st_mode = S_IFREG | 0644;
  status.st_uid = 0;
  EXPECT_EQ(distrust(policy, "file", "/p.so", status), "");
  status.st_uid = geteuid();
  EXPECT_EQ(distrust(policy, "file", "/p.so", status), "");
  status.st_uid = geteuid() + 12345;
  EXPECT_THAT(distrust(policy, "file", "/p.so", status),
              AllOf(HasSubstr("owned by"), HasSubstr("trust_owners")));
  config.plugins_trust_owners.value = {std::to_string(status.st_uid), "no-such-user-here"};
  policy = trust_policy(config);
  EXPECT_EQ(distrust(policy, "file", "/p.so", status), "");
  EXPECT_EQ(policy.unknown_owners, std::vector<std::string>{"no-such-user-here"});

  status.st_mode = S_IFREG | 0664;
  status.st_gid = getegid() + 12345;
  EXPECT_THAT(distrust(policy, "file", "/p.so", status),
              AllOf(HasSubstr("writable by group"), HasSubstr("trust_group")));
  config.plugins_trust_group.value = true;
  EXPECT_EQ(distrust(trust_policy(config), "file", "/p.so", status), "");
}

TEST(FileTrust, GivenAUserByNameWhenTrustedThenItIsItsId) {
  Config config;
  config.plugins_trust_owners.value = {"daemon"};
  EXPECT_TRUE(trust_policy(config).unknown_owners.empty());
}

TEST_F(JudgeFile, GivenTheModeOffWhenJudgedThenTheLineIsNamed) {
  config.backends["good"].mode =
      Setting<Mode>{Mode::kOff, Source{Source::Kind::kFile, "/etc/muster/muster.toml", 14, 3}};
  const FoundPlugin found = judge(put("good"));
  EXPECT_EQ(found.state, PluginState::kOff);
  EXPECT_EQ(found.source, "/etc/muster/muster.toml:14:3");
}

}  // namespace
}  // namespace muster

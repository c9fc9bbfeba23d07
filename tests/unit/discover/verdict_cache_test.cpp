#include "core/discover/verdict_cache.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/unit/discover/test_directory.hpp"

namespace muster {
namespace {

using testing::HasSubstr;

class Cache : public PluginDirectory {
 protected:
  // The one verdict that is kept.
  std::string file() const {
    for (const auto& entry : std::filesystem::directory_iterator(cache)) {
      if (entry.path().extension() == ".json") return entry.path();
    }
    return {};
  }
  void edit(const std::function<void(nlohmann::json&)>& change) {
    nlohmann::json json = nlohmann::json::parse(read_file(file()));
    change(json);
    write_file(file(), json.dump());
  }
  // Whether the verdict of the last discovery still holds.
  bool holds() {
    const size_t before = traces();
    const std::vector<FoundPlugin> found = find(false);
    EXPECT_EQ(traces(), before);
    return found.size() == 1 && found[0].state != PluginState::kUnprobed;
  }
};

TEST_F(Cache, GivenAVerdictWhenFoundAgainThenThePluginIsNotOpened) {
  put("good");
  const FoundPlugin first = find_one();
  const FoundPlugin second = find_one();
  EXPECT_EQ(second.state, PluginState::kUsable);
  EXPECT_EQ(second.facts, first.facts);
  EXPECT_EQ(traces("good"), 1u);
}

TEST_F(Cache, GivenNothingKnownWhenNotAskedToProbeThenItIsUnprobedAndNothingIsMade) {
  put("good");
  EXPECT_EQ(find_one(false).state, PluginState::kUnprobed);
  EXPECT_EQ(traces(), 0u);
  EXPECT_FALSE(std::filesystem::exists(cache));
}

TEST_F(Cache, GivenADirectoryThatIsMissingWhenProbedThenItIsMadeForTheUserAlone) {
  config.plugins_cache_dir.value = cache = root + "/a/b/c";
  put("good");
  find();
  struct stat status {};
  ASSERT_EQ(stat(cache.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777u, 0700u);
  ASSERT_EQ(stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
}

TEST_F(Cache, GivenAVerdictWhenTheFileChangesThenItNoLongerHolds) {
  const std::string path = put("good");
  find();
  ASSERT_TRUE(holds());
  const timespec later[2] = {{0, UTIME_OMIT}, {1000, 1}};
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), later, 0), 0);
  EXPECT_FALSE(holds());
  find();
  EXPECT_TRUE(holds());
  EXPECT_EQ(traces("good"), 2u);
}

TEST_F(Cache, GivenAVerdictWhenAnyPartOfItsKeyDiffersThenItNoLongerHolds) {
  put("good");
  const std::vector<std::function<void(nlohmann::json&)>> changes = {
      [](auto& json) { json["format"] = 0; },
      [](auto& json) { json["muster"] = "0.0.0"; },
      [](auto& json) { json["file"]["path"] = "/other.so"; },
      [](auto& json) { json["file"]["size"] = 1; },
      [](auto& json) { json["file"]["inode"] = 1; },
      [](auto& json) { json["file"]["build_id"] = "00"; },
      [](auto& json) { json["machine"]["boot_id"] = "another boot"; },
      [](auto& json) { json.erase("report"); },
      [](auto& json) { json["report"] = "{}"; },
      [](auto& json) { json = nlohmann::json::array(); }};
  for (const auto& change : changes) {
    find();
    ASSERT_TRUE(holds());
    edit(change);
    EXPECT_FALSE(holds()) << read_file(file());
  }
}

TEST_F(Cache, GivenADeclaredVariableWhenItChangesThenTheVerdictNoLongerHolds) {
  put("good");
  find();
  ASSERT_TRUE(holds());
  setenv("MUSTER_TEST_DEVICES", "", 1);
  EXPECT_FALSE(holds()) << "empty is not unset";
  unsetenv("MUSTER_TEST_DEVICES");
  EXPECT_TRUE(holds());
}

TEST_F(Cache, GivenADeclaredFileWhenItChangesThenTheVerdictNoLongerHolds) {
  write_file(root + "/version", "1");
  Judged judged;
  judged.found.path = "/some/plugin.so";
  judged.found.entry.probe_files = {root + "/version"};
  const VerdictCache verdicts(config);
  verdicts.store(judged, {ProbeVerdict::kUsable, "", false, {{"a", "b"}}});
  ASSERT_TRUE(verdicts.load(judged).has_value());
  EXPECT_EQ(verdicts.load(judged)->facts.at("a"), "b");
  write_file(root + "/version", "12");
  EXPECT_FALSE(verdicts.load(judged).has_value());
  std::filesystem::remove(root + "/version");
  EXPECT_FALSE(verdicts.load(judged).has_value());
}

TEST_F(Cache, GivenACrashWhenFoundAgainThenItIsQuarantinedUntilTheFileChanges) {
  const std::string path = put("crash_constructor");
  EXPECT_EQ(find_one().state, PluginState::kQuarantined);
  edit([](auto& json) { json["machine"]["boot_id"] = "another boot"; });
  const FoundPlugin again = find_one();
  EXPECT_EQ(again.state, PluginState::kQuarantined);
  EXPECT_THAT(again.reason, HasSubstr(file())) << "says how to lift the quarantine";
  EXPECT_EQ(traces(), 1u);
  put("good", "crash_constructor.so");
  EXPECT_EQ(find_one().state, PluginState::kUsable);
}

TEST_F(Cache, GivenAHangWhenTheBudgetGrowsThenItIsProbedAgain) {
  Judged judged;
  judged.found.path = "/some/plugin.so";
  config.plugins_probe_timeout_ms.value = 100;
  VerdictCache(config).store(judged, {ProbeVerdict::kHung, "hung", false, {}});
  EXPECT_TRUE(VerdictCache(config).load(judged).has_value());
  config.plugins_probe_timeout_ms.value = 200;
  EXPECT_FALSE(VerdictCache(config).load(judged).has_value());
}

TEST_F(Cache, GivenAFileThatCouldNotBeOpenedWhenItsDirectoryChangesThenItIsTriedAgain) {
  put("missing_dependency");
  EXPECT_EQ(find_one().state, PluginState::kQuarantined);
  ASSERT_TRUE(holds());
  write_file(plugins + "/libdependency.txt", "");
  EXPECT_FALSE(holds());
}

TEST_F(Cache, GivenARefusalToProbeWhenStoredThenNothingIsKept) {
  Judged judged;
  judged.found.path = "/some/plugin.so";
  const VerdictCache verdicts(config);
  verdicts.store(judged, {ProbeVerdict::kNotProbed, "interrupted", false, {}});
  EXPECT_FALSE(verdicts.load(judged).has_value());
}

TEST_F(Cache, GivenRubbishInTheCacheWhenFoundThenItIsProbedAndWrittenAgain) {
  put("good");
  find();
  for (const std::string& rubbish : {std::string(), std::string("{"), std::string(300000, '['),
                                     std::string("\xff\x00\x01", 3)}) {
    write_file(file(), rubbish);
    EXPECT_FALSE(holds());
    EXPECT_EQ(find_one().state, PluginState::kUsable);
    EXPECT_TRUE(holds());
  }
}

TEST_F(Cache, GivenADirectoryThatOthersMayWriteWhenProbedThenNothingIsKeptOrBelieved) {
  put("good");
  find();
  ASSERT_EQ(chmod(cache.c_str(), 0777), 0);
  EXPECT_FALSE(holds());
  EXPECT_EQ(find_one().state, PluginState::kUsable) << "it works without";
  EXPECT_EQ(traces("good"), 2u);
}

TEST_F(Cache, GivenADirectoryThatCannotBeMadeWhenProbedThenItWorksWithout) {
  write_file(root + "/file", "");
  config.plugins_cache_dir.value = root + "/file/cache";
  put("good");
  EXPECT_EQ(find_one().state, PluginState::kUsable);
  EXPECT_EQ(find_one().state, PluginState::kUsable);
  EXPECT_EQ(traces("good"), 2u);
}

}  // namespace
}  // namespace muster

// Passes of the known-answer test in the cache directory: what they depend on, and files that
// cannot be used.
#include "core/agree/passed_tests.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/unit/chain/rules.hpp"

namespace muster::testing {
namespace {

class Passes : public ::testing::Test {
 protected:
  Passes() {
    char name[] = "/tmp/muster-passes-XXXXXX";
    directory_ = mkdtemp(name);
    config_.plugins_cache_dir.value = directory_ + "/cache";
    plugin_.path = "/opt/acme/acme.so";
    plugin_.entry.version = "1.0";
    plugin_.identity = "size 1";
  }
  ~Passes() override { std::filesystem::remove_all(directory_); }

  std::string key_of(const FoundPlugin& plugin) const {
    return PassedTests(config_, kernels_).key(plugin, options_, rules_, ranks_);
  }
  std::string file() const { return PassedTests(config_).file_of(plugin_); }
  void write(const std::string& text) const { std::ofstream(file()) << text; }

  std::string directory_;
  Config config_;
  FoundPlugin plugin_;
  std::map<std::string, std::string> options_ = {{"buffer", "64"}};
  std::vector<muster_rule> rules_ = {rule_for(MUSTER_ALL_REDUCE)};
  uint32_t ranks_ = 2;
  ReadyPacks kernels_ = {{"fast", "digest 1"}};
};

TEST_F(Passes, GivenAPassThenALaterProcessKnowsIt) {
  EXPECT_FALSE(PassedTests(config_).hold(plugin_, key_of(plugin_)));
  PassedTests(config_).add(plugin_, key_of(plugin_));
  EXPECT_TRUE(PassedTests(config_).hold(plugin_, key_of(plugin_)));
}

TEST_F(Passes, GivenAnythingThatDecidesAnswersChangedThenItIsNotThatPass) {
  PassedTests(config_).add(plugin_, key_of(plugin_));
  const auto known = [this] { return PassedTests(config_).hold(plugin_, key_of(plugin_)); };
  ASSERT_TRUE(known());
  options_["buffer"] = "128";
  EXPECT_FALSE(known()) << "options";
  options_["buffer"] = "64";
  rules_[0].bytes_to = 77;
  EXPECT_FALSE(known()) << "rules";
  rules_[0] = rule_for(MUSTER_ALL_REDUCE);
  ranks_ = 3;
  EXPECT_FALSE(known()) << "group size";
  ranks_ = 2;
  kernels_["fast"] = "digest 2";
  EXPECT_FALSE(known()) << "kernels";
  kernels_["fast"] = "digest 1";
  plugin_.entry.version = "1.1";
  EXPECT_FALSE(known()) << "version";
  plugin_.entry.version = "1.0";
  plugin_.path = "/opt/acme/other.so";
  EXPECT_FALSE(known()) << "path";
  plugin_.path = "/opt/acme/acme.so";
  EXPECT_TRUE(known());
}

TEST_F(Passes, GivenAnotherFileAtThePathThenItsPassesReplaceTheOldOnes) {
  const std::string old_key = key_of(plugin_);
  PassedTests(config_).add(plugin_, old_key);
  plugin_.identity = "size 2";
  EXPECT_FALSE(PassedTests(config_).hold(plugin_, old_key));
  PassedTests(config_).add(plugin_, key_of(plugin_));
  plugin_.identity = "size 1";
  EXPECT_FALSE(PassedTests(config_).hold(plugin_, old_key));
}

TEST_F(Passes, GivenSeveralKeysThenAllAreKeptUpToALimit) {
  std::vector<std::string> keys;
  for (ranks_ = 2; ranks_ < 82; ++ranks_) {
    keys.push_back(key_of(plugin_));
    PassedTests(config_).add(plugin_, keys.back());
  }
  EXPECT_TRUE(PassedTests(config_).hold(plugin_, keys.back()));
  EXPECT_TRUE(PassedTests(config_).hold(plugin_, keys[20]));
  EXPECT_FALSE(PassedTests(config_).hold(plugin_, keys[0]));
}

TEST_F(Passes, GivenAFileThatCannotBeReadThenItCountsAsNoneAndIsWrittenAnew) {
  const std::string key = key_of(plugin_);
  PassedTests(config_).add(plugin_, key);
  for (const char* text :
       {"", "{", "[]", "null", "{\"format\":1}", "{\"format\":\"1\",\"plugin\":2,\"passed\":{}}",
        "{\"format\":1,\"plugin\":\"size 1\",\"passed\":[1,null]}",
        "{\"format\":1,\"plugin\":\"size 1\",\"passed\":\"x\"}"}) {
    write(text);
    EXPECT_FALSE(PassedTests(config_).hold(plugin_, key)) << text;
    PassedTests(config_).add(plugin_, key);
    EXPECT_TRUE(PassedTests(config_).hold(plugin_, key)) << text;
  }
}

TEST_F(Passes, GivenADirectoryThatOthersCanWriteToThenNothingIsBelieved) {
  PassedTests(config_).add(plugin_, key_of(plugin_));
  std::filesystem::permissions(directory_ + "/cache", std::filesystem::perms::others_write,
                               std::filesystem::perm_options::add);
  EXPECT_FALSE(PassedTests(config_).hold(plugin_, key_of(plugin_)));
}

TEST_F(Passes, GivenAnInProcessEntryThenNothingIsKept) {
  plugin_.identity.clear();
  PassedTests(config_).add(plugin_, key_of(plugin_));
  EXPECT_FALSE(PassedTests(config_).hold(plugin_, key_of(plugin_)));
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/cache"));
}

}  // namespace
}  // namespace muster::testing

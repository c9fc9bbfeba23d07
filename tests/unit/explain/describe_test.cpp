// Lists of plugins, for people and as JSON.
#include "core/explain/describe.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace muster {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

std::vector<FoundPlugin> some_plugins() {
  FoundPlugin good;
  good.path = "/usr/lib/muster/plugins/good.so";
  good.entry.id = "good";
  good.entry.version = "1.2.3";
  good.entry.vendor = "Example";
  good.entry.abi_minor = 1;
  good.entry.interfaces = {"muster.backend/1"};
  good.state = PluginState::kUsable;
  good.facts = {{"device", "none"}};
  FoundPlugin bad;
  bad.path = "/usr/lib/muster/plugins/bad.so";
  bad.state = PluginState::kRefused;
  bad.stage = Stage::kDiscover;
  bad.reason = "it is no ELF file";
  FoundPlugin off = good;
  off.entry.id = "off";
  off.path = "/usr/lib/muster/plugins/off.so";
  off.state = PluginState::kOff;
  off.reason = "switched off";
  off.source = "/etc/muster.toml:3:1";
  return {good, bad, off};
}

TEST(Describe, GivenPluginsThenTheJsonHoldsEachWithItsVerdict) {
  const std::vector<Record> records = {{Stage::kLoad, "x", "refused", "why", "here"}};
  const Json json = Json::parse(describe_plugins_json(some_plugins(), records));
  EXPECT_EQ(json["schema"], "muster.list/1");
  ASSERT_EQ(json["plugins"].size(), 3u);
  const Json& good = json["plugins"][0];
  EXPECT_EQ(good["id"], "good");
  EXPECT_EQ(good["abi"], "0.1");
  EXPECT_EQ(good["state"], plugin_state_name(PluginState::kUsable));
  EXPECT_EQ(good["facts"]["device"], "none");
  EXPECT_FALSE(good.contains("reason"));
  EXPECT_EQ(json["plugins"][1]["reason"], "it is no ELF file");
  EXPECT_EQ(json["plugins"][1]["stage"], "discover");
  EXPECT_EQ(json["plugins"][2]["source"], "/etc/muster.toml:3:1");
  EXPECT_EQ(json["records"][0]["verdict"], "refused");
  EXPECT_EQ(json["records"][0]["stage"], stage_name(Stage::kLoad));
}

TEST(Describe, GivenTextThatIsNoUtf8ThenTheJsonIsStillValid) {
  std::vector<FoundPlugin> plugins = some_plugins();
  plugins[1].reason = "bad \xff byte";
  EXPECT_NO_THROW(EXPECT_FALSE(Json::parse(describe_plugins_json(plugins, {})).empty()));
}

TEST(Describe, GivenPluginsThenTheTextHasOneLineForEach) {
  const std::string text = describe_plugins_text(some_plugins(), {}, false);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 5);
  EXPECT_THAT(text, HasSubstr("3 plugins, 1 usable"));
  EXPECT_THAT(text, HasSubstr("(it is no ELF file)"));
}

TEST(Describe, GivenWhatIsConfiguredInVainThenItIsAmongTheFailuresAndCountsAsNoPlugin) {
  const std::vector<Record> records = {
      {Stage::kDiscover, "acme", "missing", "no plugin with this id", "/etc/muster.toml:2:1"},
      {Stage::kDiscover, "/usr/lib/muster", "missing", "no such directory", ""},
      {Stage::kCheck, "acme", "missing", "of another stage", "/etc/muster.toml:2:1"}};
  const std::string text = describe_plugins_text(some_plugins(), records, true);
  EXPECT_THAT(text, HasSubstr("no plugin with this id (by /etc/muster.toml:2:1)\n2 of 3 plugins"));
  EXPECT_THAT(text, Not(HasSubstr("no such directory")));
  EXPECT_THAT(text, Not(HasSubstr("of another stage")));
  EXPECT_THAT(describe_plugins_text(some_plugins(), records, false), Not(HasSubstr("acme")));
}

TEST(Describe, GivenOnlyFailuresAreAskedForThenThoseSwitchedOffAreAmongThem) {
  const std::string text = describe_plugins_text(some_plugins(), {}, true);
  EXPECT_THAT(text, HasSubstr("bad.so"));
  EXPECT_THAT(text, HasSubstr("off.so"));
  EXPECT_THAT(text, Not(HasSubstr("good.so")));
  EXPECT_THAT(text, HasSubstr("2 of 3 plugins cannot be used"));
  const Json json = Json::parse(describe_plugins_json(some_plugins(), {}, true));
  ASSERT_EQ(json["plugins"].size(), 2u);
  EXPECT_EQ(json["plugins"][0]["path"], "/usr/lib/muster/plugins/bad.so");
}

}  // namespace
}  // namespace muster

#include "config/glob.hpp"
#include "tests/unit/config/config_fixture.hpp"

namespace muster {
namespace {

TEST(Groups, GivenGlobsWhenMatchedThenStarIsAnyTextAndQuestionMarkOneCharacter) {
  EXPECT_TRUE(glob_matches("moe", "moe"));
  EXPECT_FALSE(glob_matches("moe", "moe2"));
  EXPECT_TRUE(glob_matches("moe*", "moe"));
  EXPECT_TRUE(glob_matches("moe*", "moe_ep"));
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_TRUE(glob_matches("*_ep", "moe_ep_ep"));
  EXPECT_TRUE(glob_matches("a*b*c", "aXbbYc"));
  EXPECT_FALSE(glob_matches("a*b*c", "aXcb"));
  EXPECT_TRUE(glob_matches("tp?", "tp0"));
  EXPECT_FALSE(glob_matches("tp?", "tp"));
  EXPECT_FALSE(glob_matches("", "a"));
}

TEST(Groups, GivenTwoGlobsWhenSomeNameMatchesBothThenTheyOverlap) {
  EXPECT_TRUE(globs_overlap("moe*", "moe?"));
  EXPECT_TRUE(globs_overlap("a*b", "a?b*"));
  EXPECT_TRUE(globs_overlap("*", "?"));
  EXPECT_FALSE(globs_overlap("a*b", "a*c"));
  EXPECT_FALSE(globs_overlap("a?", "a??"));
  EXPECT_FALSE(globs_overlap("x*", "y*"));
}

constexpr const char* kSections = R"(
[backend.shm]
mode = "required"
priority = 1
options = { a = 1, b = 1, c = 1, d = 1 }
[group]
timeout_ms = 1
[group."moe*"]
timeout_ms = 3
[group."moe*".backend.shm]
priority = 3
options = { b = 3, c = 3, d = 3 }
[group."m*"]
timeout_ms = 2
[group."m*".backend.shm]
priority = 2
options = { b = 2 }
[group.moe_ep.backend.shm]
options = { d = 4 }
)";

TEST(Groups, GivenSectionsThatMatchWhenResolvedThenTheMostSpecificWinsKeyByKey) {
  const Config config = config_of(kSections);
  const BackendSettings shm = backend_settings(config, "shm", "moe_ep");
  EXPECT_EQ(shm.mode->value, Mode::kRequired);
  EXPECT_EQ(shm.priority->value, 3);
  EXPECT_EQ(shm.priority->source.text(), "api:11:1");
  EXPECT_EQ(shm.options.at("a").value, "1");
  EXPECT_EQ(shm.options.at("b").value, "3");
  EXPECT_EQ(shm.options.at("c").value, "3");
  EXPECT_EQ(shm.options.at("d").value, "4");
  EXPECT_EQ(backend_settings(config, "shm", "mx").priority->value, 2);
  EXPECT_EQ(backend_settings(config, "shm", "x").priority->value, 1);
  EXPECT_FALSE(backend_settings(config, "mpi", "moe_ep").priority);
}

TEST(Groups, GivenTimeoutsWhenResolvedThenTheMostSpecificThatHasOneWins) {
  const Config config = config_of(kSections);
  EXPECT_EQ(group_timeout_ms(config, "moe_ep"), 3u);
  EXPECT_EQ(group_timeout_ms(config, "mx"), 2u);
  EXPECT_EQ(group_timeout_ms(config, "x"), 1u);
}

TEST(Groups, GivenGlobsThatTieWhenLoadedThenBothLinesAreNamed) {
  EXPECT_TRUE(error_of("[group.\"moe*\"]\n[group.\"moe?\"]\n")
                  .starts_with("api:2:8: group \"moe?\" ties with \"moe*\" of api:1:8: "));
  EXPECT_TRUE(load_text("[group.\"moe*\"]\n[group.\"mo*\"]\n").ok());
  EXPECT_TRUE(load_text("[group.\"a*\"]\n[group.\"b*\"]\n").ok());
  EXPECT_TRUE(load_text("[group.\"moe*\"]\n[group.\"moe\"]\n").ok());
}

class GroupLayers : public ConfigFiles {};

TEST_F(GroupLayers, GivenTheSameGlobInTwoLayersWhenLoadedThenItIsOneSection) {
  ConfigInputs inputs;
  inputs.system_file =
      write("s.toml", "[group.\"a*\"]\ntimeout_ms = 5\n[group.\"a*\".backend.x]\npriority = 4\n");
  inputs.api_text = "[group.\"a*\"]\ntimeout_ms = 6\n";
  const Result<Config> config = load_config(inputs);
  ASSERT_TRUE(config.ok()) << config.status().message();
  ASSERT_EQ(config->groups.size(), 1u);
  EXPECT_EQ(group_timeout_ms(*config, "ab"), 6u);
  EXPECT_EQ(backend_settings(*config, "x", "ab").priority->value, 4);
}

}  // namespace
}  // namespace muster

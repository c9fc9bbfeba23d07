#include "tests/unit/config/config_fixture.hpp"

namespace muster {
namespace {

std::string policy_of(const std::string& text) { return policy_text(config_of(text)); }

TEST(PolicyText, GivenLocalSettingsWhenTheyDifferThenTheTextIsEqual) {
  EXPECT_EQ(policy_of(""), policy_of(R"(
[plugins]
path = ["/opt"]
probe = "never"
probe_timeout_ms = 1
trust_group = true
trust_owners = ["a"]
cache_dir = "/c"
[bootstrap]
kind = "mpi"
timeout_ms = 1
[wait]
spin_us = 0
[log]
level = "trace"
)"));
}

class AgreedSettings : public ::testing::TestWithParam<const char*> {};

TEST_P(AgreedSettings, GivenOneOfThemWhenItDiffersThenTheTextDiffers) {
  EXPECT_NE(policy_of(""), policy_of(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(
    All, AgreedSettings,
    ::testing::Values("[fallback]\npolicy = \"error\"", "[check]\nknown_answer = false",
                      "[check]\nknown_answer_ms = 51", "[check]\ncalls = true",
                      "[group]\ntimeout_ms = 5", "[backend.a]\nmode = \"off\"",
                      "[backend.a]\npriority = 5", "[backend.a]\noptions = { x = 1 }",
                      "[group.\"a*\"]\ntimeout_ms = 5", "[group.\"a*\".backend.b]\npriority = 5",
                      "[group.\"a*\".backend.b]\nmode = \"preferred\"",
                      "[[rule]]\nprefer = [\"a\"]", "[[rule]]\nprefer = []",
                      "[[rule]]\nforbid = [\"a\"]"));

TEST(PolicyText, GivenRulesThatDifferInOneFieldWhenComparedThenTheTextsDiffer) {
  const std::string rule = "[[rule]]\nprefer = [\"a\"]\n";
  std::vector<std::string> texts = {policy_of(rule)};
  for (const char* field :
       {"op = \"barrier\"", "dtype = \"f16\"", "redop = \"sum\"", "memory = \"host\"",
        "bytes = \"1..\"", "bytes = \"..1\"", "ranks = \"2..\"", "ranks = \"..2\"", "group = \"a\"",
        "forbid = [\"b\"]"}) {
    texts.push_back(policy_of(rule + field));
  }
  for (size_t i = 0; i < texts.size(); ++i) {
    for (size_t j = 0; j < i; ++j) EXPECT_NE(texts[i], texts[j]);
  }
}

TEST(PolicyText, GivenTheSamePolicyWrittenDifferentlyWhenComparedThenTheTextsAreEqual) {
  EXPECT_EQ(policy_of(""), policy_of("[check]\ncalls = false\n[backend.a]\nmode = \"preferred\"\n"
                                     "[group.\"a*\"]\n"));
  EXPECT_EQ(policy_of("[group.a]\ntimeout_ms = 1\n[group.b]\ntimeout_ms = 2\n"),
            policy_of("[group.b]\ntimeout_ms = 2\n[group.a]\ntimeout_ms = 1\n"));
  EXPECT_EQ(policy_of("[backend.a]\npriority = 1\noptions = { x = \"5\" }\n"),
            policy_of("backend.a.options.x = 0b101\nbackend.a.priority = 0x1\n"));
  EXPECT_EQ(
      policy_of("[[rule]]\nop = [\"barrier\", \"send\"]\nbytes = \"1024\"\nprefer = [\"a\"]"),
      policy_of("[[rule]]\nprefer = [\"a\"]\nop = [\"send\", \"barrier\"]\nbytes = \"1K..1K\""));
}

TEST(PolicyText, GivenRulesInAnotherOrderWhenComparedThenTheTextsDiffer) {
  const std::string a = "[[rule]]\nprefer = [\"a\"]\n";
  const std::string b = "[[rule]]\nprefer = [\"b\"]\n";
  EXPECT_NE(policy_of(a + b), policy_of(b + a));
}

TEST(PolicyText, GivenTextThatLooksLikeAnotherSettingWhenPrintedThenItIsQuoted) {
  EXPECT_NE(policy_of("[backend.a.options]\nx = \"1\\\" y\"\n"),
            policy_of("[backend.a.options]\nx = \"1\\\\\\\" y\"\n"));
}

TEST(PolicyText, GivenAGroupThenOnlyWhatReachesItsNameIsInItsText) {
  const Config config = config_of(
      "[backend.a]\npriority = 1\n[group.\"moe*\".backend.b]\noptions = { x = 400 }\n"
      "[group.tp]\ntimeout_ms = 5\n[[rule]]\ngroup = \"moe_ep\"\nforbid = [\"a\"]\n"
      "[[rule]]\nprefer = [\"b\"]\n");
  const std::string common = "backend.a.priority = 1\n";
  const std::string last = "rule: prefer = [\"b\"]\n";
  EXPECT_EQ(group_policy_text(config, "pp"), "timeout_ms = 600000\n" + common + last);
  EXPECT_EQ(group_policy_text(config, "tp"), "timeout_ms = 5\n" + common + last);
  EXPECT_EQ(group_policy_text(config, "moe_tp"),
            "timeout_ms = 600000\n" + common + "backend.b.options.x = \"400\"\n" + last);
  EXPECT_EQ(group_policy_text(config, "moe_ep"),
            "timeout_ms = 600000\n" + common +
                "backend.b.options.x = \"400\"\nrule: forbid = [\"a\"]\n" + last);
}

TEST(PolicyText, GivenSectionsWrittenDifferentlyThenGroupsThatTheyTreatAlikeHaveEqualTexts) {
  const Config config = config_of(
      "[group.a.backend.shm]\nmode = \"preferred\"\npriority = 7\n"
      "[group.\"b*\".backend.shm]\npriority = 7\n[[rule]]\ngroup = \"a\"\nforbid = [\"x\"]\n"
      "[[rule]]\ngroup = \"b\"\nforbid = [\"x\"]\n");
  EXPECT_EQ(group_policy_text(config, "a"), group_policy_text(config, "b"));
  EXPECT_NE(group_policy_text(config, "a"), group_policy_text(config, "c"));
}

class PolicySources : public ConfigFiles {};

TEST_F(PolicySources, GivenSeveralLayersWhenNamedThenOnlyThoseOfThePolicyAre) {
  ConfigInputs inputs;
  inputs.system_file = write("s.toml", "[backend.a]\npriority = 1\n[[rule]]\nprefer = [\"a\"]\n");
  inputs.user_file = write("u.toml", "[log]\nlevel = \"info\"\n");
  inputs.environment["MUSTER_CHECK_CALLS"] = "1";
  inputs.environment["MUSTER_WAIT_SPIN_US"] = "1";
  const Result<Config> config = load_config(inputs);
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(policy_sources(*config), "MUSTER_CHECK_CALLS, " + path("s.toml"));
  EXPECT_EQ(policy_sources(Config{}), "defaults");
}

}  // namespace
}  // namespace muster

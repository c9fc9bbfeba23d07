#include "tests/unit/config/config_fixture.hpp"

namespace muster {
namespace {

TEST(Rules, GivenEveryFieldWhenLoadedThenTheRuleHasThem) {
  const Config config = config_of(R"(
[[rule]]
op = "all_gather"
dtype = ["bf16", "f16", "f32"]
redop = ["sum", "max"]
memory = ["host", "cuda"]
bytes = "4K..1MiB"
ranks = "2..8"
group = "moe*"
prefer = ["cuda_peer", "nccl"]
forbid = ["mpi"]
)");
  ASSERT_EQ(config.rules.size(), 1u);
  const PolicyRule& rule = config.rules[0];
  EXPECT_EQ(rule.ops, 1u << MUSTER_ALL_GATHER);
  EXPECT_EQ(rule.dtypes, 1u << MUSTER_BF16 | 1u << MUSTER_F16 | 1u << MUSTER_F32);
  EXPECT_EQ(rule.redops, 1u << MUSTER_SUM | 1u << MUSTER_MAX);
  EXPECT_EQ(rule.memory, 1u << MUSTER_HOST | 1u << MUSTER_CUDA);
  EXPECT_EQ(rule.bytes_from, 4096u);
  EXPECT_EQ(rule.bytes_to, 1048576u);
  EXPECT_EQ(rule.ranks_from, 2u);
  EXPECT_EQ(rule.ranks_to, 8u);
  EXPECT_EQ(rule.group, "moe*");
  EXPECT_EQ(rule.prefer, (Strings{"cuda_peer", "nccl"}));
  EXPECT_EQ(rule.forbid, Strings{"mpi"});
  EXPECT_EQ(rule.source.text(), "api:2:3");
}

PolicyRule rule_with(const std::string& line) {
  const Config config = config_of("[[rule]]\nprefer = [\"shm\"]\n" + line + "\n");
  return config.rules.empty() ? PolicyRule{} : config.rules[0];
}

TEST(Rules, GivenRangesWhenLoadedThenMissingEndsAreOpen) {
  EXPECT_EQ(rule_with("bytes = \"..1MiB\"").bytes_from, 0u);
  EXPECT_EQ(rule_with("bytes = \"..1MiB\"").bytes_to, 1048576u);
  EXPECT_EQ(rule_with("bytes = \"64K..\"").bytes_from, 65536u);
  EXPECT_EQ(rule_with("bytes = \"64K..\"").bytes_to, UINT64_MAX);
  EXPECT_EQ(rule_with("bytes = \"1M\"").bytes_from, 1048576u);
  EXPECT_EQ(rule_with("bytes = \"1M\"").bytes_to, 1048576u);
  EXPECT_EQ(rule_with("bytes = 0").bytes_to, 0u);
  EXPECT_EQ(rule_with("ranks = 4").ranks_from, 4u);
  EXPECT_EQ(rule_with("ranks = 4").ranks_to, 4u);
  EXPECT_EQ(rule_with("ranks = \"4..\"").ranks_to, UINT32_MAX);
  EXPECT_EQ(rule_with("ranks = \"..4\"").ranks_to, 4u);
  EXPECT_EQ(rule_with("").ops, 0u);
}

std::string rule_error(const std::string& line) {
  return error_of("[[rule]]\nprefer = [\"shm\"]\n" + line + "\n");
}

TEST(Rules, GivenWrongFieldsWhenLoadedThenValueAndPlaceAreNamed) {
  EXPECT_EQ(rule_error("op = [\"all_reduce\", \"all_gathr\"]")
                .find("api:3:21: 'op' cannot be \"all_gathr\"; use all_reduce, reduce, "),
            0u);
  EXPECT_EQ(rule_error("memory = \"default\"").find("api:3:10: 'memory' cannot be \"default\""),
            0u);
  EXPECT_EQ(rule_error("dtype = []").find("api:3:9: 'dtype' is empty"), 0u);
  EXPECT_EQ(rule_error("dtype = 3").find("api:3:9: 'dtype' must be a string or an array"), 0u);
  EXPECT_EQ(rule_error("group = 3").find("api:3:9: 'group' must be a string"), 0u);
  EXPECT_EQ(rule_error("forbid = \"mpi\"").find("api:3:10: 'forbid' must be an array of ids"), 0u);
  EXPECT_EQ(rule_error("forbid = [\"mpi\", \"B D\"]").find("api:3:18: \"B D\" is not an id"), 0u);
  EXPECT_EQ(rule_error("bytes = true").find("api:3:9: 'bytes' must be an integer or a string"), 0u);
}

TEST(Rules, GivenWrongRangesWhenLoadedThenTheyAreRefused) {
  EXPECT_EQ(rule_error("bytes = \"2M..1M\"").find("api:3:9: 'bytes': the range is empty"), 0u);
  EXPECT_EQ(rule_error("bytes = \"..\"").find("api:3:9: 'bytes': '..' has no limit"), 0u);
  EXPECT_EQ(rule_error("bytes = \"..1Mb\"").find("api:3:9: 'bytes': '1Mb' is not a size"), 0u);
  EXPECT_EQ(rule_error("bytes = -1").find("api:3:9: 'bytes': '-1' is not a size"), 0u);
  EXPECT_EQ(rule_error("bytes = \"99999999999T\"").find("api:3:9: 'bytes': size "), 0u);
  EXPECT_EQ(rule_error("ranks = 0").find("api:3:9: 'ranks': the range is empty or out"), 0u);
  EXPECT_EQ(rule_error("ranks = \"2..4294967296\"").find("api:3:9: 'ranks': the range"), 0u);
  EXPECT_EQ(rule_error("ranks = \"2-8\"").find("api:3:9: 'ranks': '2-8' is not a number"), 0u);
}

TEST(Rules, GivenARuleThatDecidesNothingWhenLoadedThenItIsRefused) {
  EXPECT_EQ(error_of("[[rule]]\nop = \"barrier\"\n")
                .find("api:1:3: a rule with neither 'prefer' nor 'forbid'"),
            0u);
  EXPECT_EQ(error_of("[[rule]]\nprefer = [\"a\"]\nforbid = [\"a\"]\n")
                .find("api:1:3: a rule both prefers and forbids 'a'"),
            0u);
  EXPECT_EQ(
      error_of("[rule]\nop = \"barrier\"\n").find("api:1:1: 'rule' must be an array of tables"),
      0u);
  EXPECT_EQ(
      error_of("rule = [1]\n").find("api:1:9: 'rule' must be an array of tables, not an integer"),
      0u);
}

}  // namespace
}  // namespace muster

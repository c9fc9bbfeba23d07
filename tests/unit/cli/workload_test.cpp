#include "core/cli/workload.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/cli/workload_file.hpp"

namespace muster {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Variables = std::map<std::string, uint64_t>;

WorkloadRun run_of(const std::string& name, const Variables& variables) {
  Result<Workload> workload = load_workload(name, workload_directories());
  EXPECT_TRUE(workload.ok()) << workload.status().message();
  if (!workload.ok()) return {};
  Result<WorkloadRun> run = evaluate(*workload, variables);
  EXPECT_TRUE(run.ok()) << run.status().message();
  return run.ok() ? std::move(*run) : WorkloadRun{};
}

std::vector<Step> steps_of(const std::string& name, const Variables& variables) {
  return run_of(name, variables).steps;
}

std::vector<std::string> names_of(const std::vector<Step>& steps) {
  std::vector<std::string> names;
  names.reserve(steps.size());
  for (const Step& step : steps) names.push_back(step.name);
  return names;
}

Step step_named(const std::vector<Step>& steps, const std::string& name) {
  const auto found =
      std::find_if(steps.begin(), steps.end(), [&](const Step& step) { return step.name == name; });
  return found == steps.end() ? Step{} : *found;
}

// A valid file, for tests that break one thing in it.
constexpr const char* kSmall = R"(schema = "muster.workload/1"
title = "small"
sources = ["a paper"]
[dimensions]
hidden = 8
[layout]
tp = "ranks"
[variables]
tokens = 1
[[call]]
name = "sum"
op = "all_reduce"
dtype = "f32"
redop = "sum"
role = "world"
count = "tokens * hidden"
)";

std::string small_with(const std::string& from, const std::string& to) {
  std::string text = kSmall;
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Workload, GivenTheShippedFilesWhenListedThenEachLoadsAndNamesItsSource) {
  const std::vector<std::string> names = list_workloads(workload_directories());
  EXPECT_THAT(names, ElementsAre("deepseek-r1", "llama-3.1-70b", "llama-3.1-8b", "qwen3-30b-a3b"));
  for (const std::string& name : names) {
    const Result<Workload> workload = load_workload(name, workload_directories());
    ASSERT_TRUE(workload.ok()) << workload.status().message();
    EXPECT_EQ(workload->name, name);
    EXPECT_THAT(workload->sources.front(), HasSubstr("config.json of "));
  }
}

TEST(Workload, GivenAnyNumberOfRanksWhenEvaluatedThenEveryShippedFileHasSteps) {
  for (const std::string& name : list_workloads(workload_directories())) {
    for (uint64_t ranks = 2; ranks <= 16; ++ranks) {
      for (const uint64_t tokens : {1, 7, 256, 8192}) {
        const std::vector<Step> steps = steps_of(name, {{"ranks", ranks}, {"tokens", tokens}});
        EXPECT_FALSE(steps.empty());
        for (const Step& step : steps) EXPECT_EQ(step.group_size, ranks) << step.name;
      }
    }
    EXPECT_TRUE(steps_of(name, {{"ranks", 1}}).empty()) << name;
  }
}

TEST(Workload, GivenLlama8BOnTwoRanksWhenDecodingOneTokenThenTheStepIsThePublishedOne) {
  const std::vector<Step> steps = steps_of("llama-3.1-8b", {{"ranks", 2}});
  EXPECT_THAT(names_of(steps), ElementsAre("step metadata", "embedding", "attention output",
                                           "mlp output", "logits"));
  const Step attention = step_named(steps, "attention output");
  EXPECT_EQ(attention.op, muster_op{MUSTER_ALL_REDUCE});
  EXPECT_EQ(attention.dtype, muster_dtype{MUSTER_BF16});
  EXPECT_EQ(attention.redop, muster_redop{MUSTER_SUM});
  EXPECT_EQ(attention.count, 4096u);
  EXPECT_EQ(attention.repeat, 32u);
  EXPECT_EQ(step_named(steps, "logits").count, 128256u / 2);
}

TEST(Workload, GivenAPrefillWhenOneSequenceNeedsLogitsThenOnlyTheActivationsGrow) {
  const std::vector<Step> steps =
      steps_of("llama-3.1-70b", {{"ranks", 8}, {"tokens", 2048}, {"sequences", 1}});
  EXPECT_EQ(step_named(steps, "mlp output").count, 2048u * 8192);
  EXPECT_EQ(step_named(steps, "mlp output").repeat, 80u);
  EXPECT_EQ(step_named(steps, "logits").count, 128256u / 8);
}

TEST(Workload, GivenExpertParallelismWhenEvaluatedThenTokensAreDispatchedAndCombined) {
  const std::vector<Step> steps = steps_of("deepseek-r1", {{"ranks", 8}, {"tokens", 128}});
  const Step dispatch = step_named(steps, "dispatch");
  EXPECT_EQ(dispatch.op, muster_op{MUSTER_ALL_TO_ALLV});
  EXPECT_EQ(dispatch.route, Route::kDispatch);
  EXPECT_EQ(dispatch.tokens, 128u / 8);
  EXPECT_EQ(dispatch.experts, 256u);
  EXPECT_EQ(dispatch.choices, 8u);
  EXPECT_EQ(dispatch.count, 7168u);
  EXPECT_EQ(dispatch.repeat, 58u);
  EXPECT_EQ(step_named(steps, "dispatch scales").count, 56u);
  EXPECT_EQ(step_named(steps, "combine").route, Route::kCombine);
  EXPECT_EQ(step_named(steps, "dense mlp output").repeat, 3u);
  EXPECT_EQ(step_named(steps, "attention output slice").count, 16u * 7168);
  EXPECT_EQ(step_named(steps, "moe output").repeat, 0u);
}

TEST(Workload, GivenSplitExpertsWhenEvaluatedThenOutputsAreSummedInsteadOfDispatched) {
  const std::vector<Step> steps = steps_of("qwen3-30b-a3b", {{"ranks", 4}, {"ep", 1}});
  EXPECT_THAT(names_of(steps), ElementsAre("step metadata", "embedding", "attention output",
                                           "moe output", "logits"));
  EXPECT_EQ(step_named(steps, "moe output").repeat, 48u);
}

TEST(Workload, GivenDataParallelAttentionWhenEvaluatedThenAttentionNeedsNoReduction) {
  const std::vector<Step> steps =
      steps_of("qwen3-30b-a3b", {{"ranks", 4}, {"attn_dp", 4}, {"tokens", 64}});
  EXPECT_THAT(names_of(steps), ElementsAre("step metadata", "token counts", "dispatch sizes",
                                           "dispatch", "combine"));
  EXPECT_EQ(step_named(steps, "dispatch").tokens, 16u);
}

TEST(Workload, GivenALayoutWhenEvaluatedThenGroupsAreItsRoles) {
  const WorkloadRun two = run_of("qwen3-30b-a3b", {{"ranks", 8}, {"tp", 2}, {"ep", 2}});
  EXPECT_EQ(two.layout_text, "tp=2,dp=4,attn_dp=1,ep=2");
  EXPECT_EQ(two.layout.tp, 2u);
  EXPECT_EQ(two.layout.dp, 4u);
  for (const Step& step : two.steps) EXPECT_EQ(step.group_size, 2u) << step.name;
  EXPECT_EQ(step_named(two.steps, "dispatch").role, muster_role{MUSTER_ROLE_MOE_EP});
}

TEST(Workload, GivenALayoutThatDoesNotFillTheWorldWhenEvaluatedThenTheEquationIsNamed) {
  const Result<Workload> workload = load_workload("llama-3.1-8b", workload_directories());
  ASSERT_TRUE(workload.ok());
  const Result<WorkloadRun> run = evaluate(*workload, {{"ranks", 4}, {"tp", 2}, {"dp", 1}});
  ASSERT_FALSE(run.ok());
  EXPECT_THAT(run.status().cause(), HasSubstr("llama-3.1-8b"));
  EXPECT_THAT(run.status().cause(), HasSubstr("the world has 4 ranks"));
}

TEST(Workload, GivenVariablesThatDoNotFitWhenEvaluatedThenTheCauseSaysWhich) {
  const Result<Workload> workload = load_workload("deepseek-r1", workload_directories());
  ASSERT_TRUE(workload.ok());
  const auto cause = [&](const Variables& variables) {
    Result<WorkloadRun> run = evaluate(*workload, variables);
    return run.ok() ? std::string("ok") : run.status().message();
  };
  EXPECT_THAT(cause({}), HasSubstr("needs the number of ranks"));
  EXPECT_THAT(cause({{"ranks", 0}}), HasSubstr("needs the number of ranks"));
  EXPECT_THAT(cause({{"ranks", 4}, {"hidden", 1}}),
              HasSubstr("no layout size or variable 'hidden'"));
  EXPECT_THAT(cause({{"ranks", 4}, {"ep", 2}}),
              HasSubstr("ep is 2; with 4 ranks it is one of 1, 4"));
  EXPECT_THAT(cause({{"ranks", 4}, {"tokens", UINT64_MAX}}), HasSubstr("exceeds 64 bits"));
}

TEST(Workload, GivenACountWhoseBytesOverflowWhenEvaluatedThenItIsRefused) {
  const Result<Workload> workload = parse_workload(kSmall, "small.toml");
  ASSERT_TRUE(workload.ok()) << workload.status().message();
  const Result<WorkloadRun> run =
      evaluate(*workload, {{"ranks", 4}, {"tokens", uint64_t{1} << 59}});
  ASSERT_FALSE(run.ok());
  EXPECT_THAT(run.status().cause(), HasSubstr("small.toml:10: call 'sum'"));
}

struct Mistake {
  const char* from;
  const char* to;
  const char* message;
};

TEST(Workload, GivenAMistakeInTheFileWhenLoadedThenFileLineAndCauseAreNamed) {
  const Mistake mistakes[] = {
      {"workload/1", "workload/2", "this muster reads muster.workload/1"},
      {"title", "titel", "small.toml:2: unknown key 'titel'; did you mean 'title'?"},
      {"[\"a paper\"]", "[]", "small.toml:3: sources is empty"},
      {"hidden = 8", "hidden = -8", "small.toml:5: must be an integer"},
      {"hidden = 8", "hidden = 99999999999999999999", "small.toml"},
      {"hidden = 8", "ranks = 8", "small.toml:5: 'ranks' is given by the caller"},
      {"tokens = 1", "hidden = 1", "small.toml:9: 'hidden' is defined twice"},
      {"tokens = 1", "tokens = {one_of = [1]}", "small.toml:9: 'default' is missing"},
      {"tokens = 1", "tokens = 1.5", "small.toml:9: must be a number or an expression"},
      {"all_reduce", "all_reduced", "no operation is named 'all_reduced'"},
      {"\"all_reduce\"", "\"send\"", "send is not a collective"},
      {"f32", "float", "no dtype is named 'float'"},
      {"redop = \"sum\"", "", "no redop is named ''"},
      {"redop = \"sum\"", "redop = \"band\"", "band is not defined for f32"},
      {"role = \"world\"", "role = \"tensor\"", "'tensor'"},
      {"role = \"world\"", "role = \"world\"\nwhen = \"moe\"", "'moe'"},
      {"\"all_reduce\"\ndtype = \"f32\"\nredop = \"sum\"", "\"all_to_allv\"\ndtype = \"f32\"",
       "all_to_allv needs 'route'"},
      {"redop = \"sum\"", "redop = \"sum\"\nroute = \"dispatch\"", "only all_to_allv is routed"},
      {"redop = \"sum\"", "redop = \"sum\"\nroute = \"back\"", "route is 'back'"},
      {"redop = \"sum\"", "redop = \"sum\"\ntokens = 1", "'tokens' is for routed calls"},
      {"tp = \"ranks\"", "tq = \"ranks\"", "'tq'"},
      {"tokens = 1", "attn_tp = 1", "'attn_tp' is a size of the layout"},
      {"hidden = 8", "ep = 8", "'ep' is a size of the layout"},
      {"role = \"world\"", "role = 1", "'role' must be of type string"},
      {"count = ", "size = ", "small.toml:16: unknown key 'size'"},
      {"tokens * hidden", "tokens *", "small.toml:16: expression 'tokens *', character 9"},
      {"[layout]", "[[layout]]", "'layout' must be of type table"},
      {"title = ", "title ", "small.toml"},
      {"[\"a paper\"]", "[[[[[[[[[[[[[[[[[[[[", "brackets nest too deeply"},
  };
  for (const Mistake& mistake : mistakes) {
    const Result<Workload> workload =
        parse_workload(small_with(mistake.from, mistake.to), "small.toml");
    ASSERT_FALSE(workload.ok()) << mistake.to;
    EXPECT_THAT(workload.status().message(), HasSubstr(mistake.message));
  }
}

TEST(Workload, GivenAnUnknownNameWhenLoadedThenTheNearestIsSuggested) {
  const Result<Workload> near = load_workload("llama-3.1-8B", workload_directories());
  ASSERT_FALSE(near.ok());
  EXPECT_EQ(near.status().code(), muster_code{MUSTER_NOT_FOUND});
  EXPECT_THAT(near.status().remedy(), HasSubstr("'llama-3.1-8b'"));

  const Result<Workload> path = load_workload("/nonexistent/model.toml", {});
  ASSERT_FALSE(path.ok());
  EXPECT_THAT(path.status().cause(), HasSubstr("/nonexistent/model.toml"));

  const Result<Workload> none = load_workload("model", {"/nonexistent"});
  ASSERT_FALSE(none.ok());
  EXPECT_THAT(none.status().message(), HasSubstr("there is none in /nonexistent"));
}

}  // namespace
}  // namespace muster

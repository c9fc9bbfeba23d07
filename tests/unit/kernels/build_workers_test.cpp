// Builds in processes of their own: what they answer, and how they end.
#include "core/kernels/build_workers.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <map>

namespace muster {
namespace {

using State = BuildOutcome::State;

BuildOutcome outcome_of(State state, std::string text) {
  BuildOutcome outcome;
  outcome.state = state;
  outcome.text = std::move(text);
  return outcome;
}

TEST(BuildWorkers, GivenAnswersLongerThanAPipeThenTheyComeWhole) {
  const std::string log(300'000, 'e');
  const std::vector<BuildOutcome> outcomes = run_builds(
      {"one", "two"}, 2, -1, [&](size_t) { return outcome_of(State::kFailed, log); },
      [](const BuildOutcome&) {});
  ASSERT_EQ(outcomes.size(), 2u);
  for (const BuildOutcome& outcome : outcomes) {
    EXPECT_EQ(outcome.state, State::kFailed);
    EXPECT_TRUE(outcome.text == log) << outcome.text.size();
  }
}

TEST(BuildWorkers, GivenMoreNamesThanJobsThenEveryNameHasItsOutcome) {
  std::map<std::string, std::string> texts;
  run_builds(
      {"a", "b", "c", "d", "e"}, 2, -1,
      [](size_t i) { return outcome_of(State::kBuilt, std::to_string(i)); },
      [&](const BuildOutcome& outcome) { texts[outcome.name] = outcome.text; });
  const std::map<std::string, std::string> all = {
      {"a", "0"}, {"b", "1"}, {"c", "2"}, {"d", "3"}, {"e", "4"}};
  EXPECT_EQ(texts, all);
}

TEST(BuildWorkers, GivenABuilderThatDiesThenItsOutcomeNamesTheSignal) {
  const std::vector<BuildOutcome> outcomes = run_builds(
      {"dies"}, 1, -1,
      [](size_t) -> BuildOutcome {
        raise(SIGKILL);
        return {};
      },
      [](const BuildOutcome&) {});
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes.front().state, State::kFailed);
  EXPECT_EQ(outcomes.front().text, "the builder ended by signal 9");
}

}  // namespace
}  // namespace muster

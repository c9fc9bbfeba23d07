#include "core/cli/expression.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace muster {
namespace {

using ::testing::HasSubstr;

const Expression::Values kValues = {{"tokens", 3}, {"hidden", 4096}, {"tp", 2}};

Result<uint64_t> value_of(std::string_view text) {
  Result<Expression> parsed = Expression::parse(text);
  if (!parsed.ok()) return parsed.take_status();
  return parsed->evaluate(kValues);
}

struct Arithmetic {
  const char* text;
  uint64_t value;
};

TEST(Expression, GivenArithmeticWhenEvaluatedThenItIsExact) {
  const Arithmetic cases[] = {
      {"7", 7},
      {" tokens*hidden ", 12288},
      {"2 + 3 * 4", 14},
      {"(2 + 3) * 4", 20},
      {"20 - 3 - 2", 15},
      {"64 / 4 / 2", 8},
      {"tokens * (hidden - 96) / tp", 6000},
      {"ceil_div(7, tp)", 4},
      {"ceil_div(8, tp)", 4},
      {"max(tokens, tp) + max(1, 2)", 5},
      {"18446744073709551615", UINT64_MAX},
      {"ceil_div(18446744073709551615, 2)", 9223372036854775808u},
  };
  for (const Arithmetic& expected : cases) {
    const Result<uint64_t> result = value_of(expected.text);
    ASSERT_TRUE(result.ok()) << result.status().message();
    EXPECT_EQ(*result, expected.value) << expected.text;
  }
}

struct Failure {
  const char* text;
  muster_code code;
  const char* cause;
};

TEST(Expression, GivenAnErrorWhenParsedOrEvaluatedThenTheCauseNamesTheCharacter) {
  const Failure cases[] = {
      {"", MUSTER_INVALID_ARGUMENT, "character 1: ends where a number"},
      {"tokens *", MUSTER_INVALID_ARGUMENT, "character 9: ends where a number"},
      {"tokens hidden", MUSTER_INVALID_ARGUMENT, "character 8: 'h' where an operator"},
      {"2x", MUSTER_INVALID_ARGUMENT, "character 2: 'x' where an operator"},
      {"-1", MUSTER_INVALID_ARGUMENT, "character 1: '-' where a number"},
      {"(1 + 2", MUSTER_INVALID_ARGUMENT, "character 7: ends where ')'"},
      {"max(1)", MUSTER_INVALID_ARGUMENT, "character 6: ')' where ','"},
      {"min(1, 2)", MUSTER_NOT_FOUND, "character 1: no function 'min'"},
      {"1 + heads", MUSTER_NOT_FOUND, "character 5: no value is named 'heads'"},
      {"tokens / tp", MUSTER_OUT_OF_RANGE, "character 8: 3 / 2 leaves a remainder of 1"},
      {"1 / (tp - 2)", MUSTER_OUT_OF_RANGE, "character 3: 1 is divided by 0"},
      {"ceil_div(1, 0)", MUSTER_OUT_OF_RANGE, "character 1: 1 is divided by 0"},
      {"tp - tokens", MUSTER_OUT_OF_RANGE, "character 4: 2 - 3 is negative"},
      {"18446744073709551615 + 1", MUSTER_OUT_OF_RANGE, "character 22:"},
      {"4294967296 * 4294967296", MUSTER_OUT_OF_RANGE, "character 12:"},
      {"18446744073709551616", MUSTER_OUT_OF_RANGE, "character 1: the number exceeds 64 bits"},
  };
  for (const Failure& expected : cases) {
    const Result<uint64_t> result = value_of(expected.text);
    ASSERT_FALSE(result.ok()) << expected.text;
    EXPECT_EQ(result.status().code(), expected.code) << expected.text;
    EXPECT_THAT(result.status().cause(), HasSubstr(expected.cause));
  }
}

TEST(Expression, GivenParenthesesWithoutEndWhenParsedThenTheDepthIsRefused) {
  const Result<uint64_t> result = value_of(std::string(100000, '('));
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.status().cause(), HasSubstr("nest too deeply"));
}

}  // namespace
}  // namespace muster

#include "config/toml_node.hpp"
#include "tests/unit/config/config_fixture.hpp"

namespace muster {
namespace {

std::string repeated(const std::string& text, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

class DeepNesting : public ::testing::TestWithParam<std::string> {};

// Each of them would have the parser recurse thousands of levels deep.
TEST_P(DeepNesting, GivenADeepTextWhenLoadedThenItIsRefusedBeforeParsing) {
  const std::string error = error_of(GetParam());
  EXPECT_NE(error.find(": nested deeper than 32 levels"), std::string::npos) << error;
}

INSTANTIATE_TEST_SUITE_P(
    All, DeepNesting,
    ::testing::Values("a = " + repeated("[\n", 9000), "a = " + repeated("{a=", 1000),
                      "a" + repeated(".a", 1000) + " = 1", "[a" + repeated(".a", 1000) + "]",
                      "a = [" + repeated("{a.a.a=[", 400),
                      // Strings that end where they do not seem to.
                      "a = [\"\"\"x\"\"\"\", " + repeated("[", 3000),
                      "a = [\"\"\"x\"\"\"\"\", " + repeated("[", 3000),
                      "a = ['''x\\''', " + repeated("[", 3000),
                      "a = [\"\\\\\", " + repeated("[", 3000), "a = ['\\', " + repeated("[", 3000),
                      "a = [\"open\n" + repeated("[", 3000),
                      "a = [ # \"\"\"\n" + repeated("[", 3000)));

TEST(TomlLimits, GivenBracketsInStringsAndCommentsWhenLoadedThenTheyAreNotNesting) {
  const std::string brackets = repeated("[", 100);
  const Config config =
      config_of("# " + brackets + "\n[backend.shm.options]\na = \"" + brackets + "\"\nb = '''\\" +
                brackets + "'''\nc = \"\\\"" + brackets + "\"\n");
  EXPECT_EQ(config.backends.at("shm").options.at("a").value, brackets);
  EXPECT_EQ(config.backends.at("shm").options.at("b").value, "\\" + brackets);
  EXPECT_EQ(config.backends.at("shm").options.at("c").value, "\"" + brackets);
}

TEST(TomlLimits, GivenNestingAtTheLimitWhenParsedThenItIsAccepted) {
  EXPECT_TRUE(parse_toml("a = " + repeated("[", 32) + repeated("]", 32), "f").ok());
  EXPECT_FALSE(parse_toml("a = " + repeated("[", 33) + repeated("]", 33), "f").ok());
}

TEST(TomlLimits, GivenTextsAtTheLimitsWhenCheckedThenOnlyWhatIsBeyondIsRefused) {
  EXPECT_TRUE(check_toml_limits(std::string(kMaxTomlLineBytes, '#'), "f").ok());
  EXPECT_EQ(check_toml_limits(std::string(kMaxTomlLineBytes + 1, '#'), "f").code(),
            MUSTER_OUT_OF_RANGE);
  EXPECT_TRUE(check_toml_limits(repeated("\n", kMaxTomlLines - 1), "f").ok());
  EXPECT_EQ(check_toml_limits(repeated("\n", kMaxTomlLines), "f").code(), MUSTER_OUT_OF_RANGE);
  const std::string full = repeated(std::string(255, '#') + "\n", kMaxTomlBytes / 256);
  EXPECT_TRUE(check_toml_limits(full, "f").ok());
  EXPECT_EQ(check_toml_limits(full + "#", "f").cause(), "f: larger than 1048576 bytes");
}

TEST(TomlLimits, GivenAByteOrderMarkWhenLoadedThenColumnsDoNotCountIt) {
  EXPECT_TRUE(error_of("\xef\xbb\xbfxx = 1").starts_with("api:1:1: unknown key 'xx'"));
}

TEST(TomlLimits, GivenLargestIntegersWhenLoadedThenTheyAreExact) {
  const Config config = config_of(
      "[backend.shm.options]\na = 9223372036854775807\nb = -9223372036854775808\nc = +1_0\nd = "
      "0xF_f\n"
      "e = 0o17\nf = 0b11\ng = 0\n");
  const auto& options = config.backends.at("shm").options;
  EXPECT_EQ(options.at("a").value, "9223372036854775807");
  EXPECT_EQ(options.at("b").value, "-9223372036854775808");
  EXPECT_EQ(options.at("c").value, "10");
  EXPECT_EQ(options.at("d").value, "255");
  EXPECT_EQ(options.at("e").value, "15");
  EXPECT_EQ(options.at("f").value, "3");
  EXPECT_EQ(options.at("g").value, "0");
}

}  // namespace
}  // namespace muster

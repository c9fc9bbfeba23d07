#include "tests/unit/config/config_fixture.hpp"

namespace muster {
namespace {

struct Case {
  const char* name;
  std::string text;
  const char* error;  // how it starts
};

class Errors : public ::testing::TestWithParam<Case> {};

TEST_P(Errors, GivenAWrongTextWhenLoadedThenPlaceCauseAndRemedyAreNamed) {
  const std::string error = error_of(GetParam().text);
  EXPECT_TRUE(error.starts_with(GetParam().error)) << error;
}

INSTANTIATE_TEST_SUITE_P(
    Keys, Errors,
    ::testing::Values(
        Case{"UnknownKey", "[backend.shm]\n  prioritty = 3\n",
             "api:2:3: unknown key 'prioritty' in [backend.shm]; did you mean 'priority'?"},
        Case{"UnknownKeyWithoutNear", "[log]\nzzzzzzzzz = 3\n",
             "api:2:1: unknown key 'zzzzzzzzz' in [log]; known keys: level"},
        Case{"UnknownSection", "\n [plugin]\npath = []\n",
             "api:2:3: unknown key 'plugin'; did you mean 'plugins'?"},
        Case{"UnknownDottedKey", "backend . shm . prio = 3\n",
             "api:1:17: unknown key 'prio' in [backend.shm]; did you mean 'priority'?"},
        Case{"UnknownQuotedKey", "[log]\n\"le vel\" = \"warn\"\n",
             "api:2:1: unknown key 'le vel' in [log]; did you mean 'level'?"},
        Case{"UnknownInInlineTable", "backend = { shm = { mode = \"off\", prioriti = 3 } }\n",
             "api:1:35: unknown key 'prioriti' in [backend.shm]; did you mean 'priority'?"},
        Case{"UnknownInHeader", "[backend.shm.option]\nx = 1\n",
             "api:1:14: unknown key 'option' in [backend.shm]; did you mean 'options'?"},
        Case{"UnknownInGroup", "[group]\ntimeout = 5\n",
             "api:2:1: unknown key 'timeout' in [group]; did you mean 'timeout_ms'?"},
        Case{"UnknownInGlob", "[group.\"moe*\"]\ntimeout = 5\n",
             "api:2:1: unknown key 'timeout' in [group.\"moe*\"]; did you mean 'timeout_ms'?"},
        Case{"UnknownInRule", "[[rule]]\nprefers = [\"shm\"]\n",
             "api:2:1: unknown key 'prefers' in [[rule]]; did you mean 'prefer'?"},
        Case{"FirstInTheOrderOfTheFile", "[wait]\nzz = 1\n[check]\naa = 1\n",
             "api:2:1: unknown key 'zz' in [wait]"},
        Case{"FirstAlsoAcrossSplitSections", "[backend.a]\n[check]\nzz = 1\n[backend.b]\naa = 1\n",
             "api:3:1: unknown key 'zz' in [check]"},
        Case{"DuplicateKey", "[log]\nlevel = \"warn\"\n  level = \"info\"\n",
             "api:3:3: 'level' is defined twice; it is first defined on line 2"},
        Case{"DuplicateTable", "[backend.shm]\n[log]\n[backend.shm]\n",
             "api:3:10: 'backend.shm' is defined twice; it is first defined on line 1"},
        Case{"BadId", "[backend.\"Shm 2\"]\n", "api:1:10: \"Shm 2\" is not an id of a backend"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Values, Errors,
    ::testing::Values(
        Case{"WrongType", "[group]\ntimeout_ms = \"5\"\n",
             "api:2:14: 'group.timeout_ms' must be an integer, not a string"},
        Case{"FloatForInteger", "[group]\ntimeout_ms = 5.0\n",
             "api:2:14: 'group.timeout_ms' must be an integer, not a float"},
        Case{"IntegerForFlag", "[check]\ncalls = 1\n",
             "api:2:9: 'check.calls' must be true or false, not an integer"},
        Case{"StringForArray", "[plugins]\npath = \"/a\"\n",
             "api:2:8: 'plugins.path' must be an array of strings, not a string"},
        Case{"MixedArray", "[plugins]\npath = [\"/a\", 3]\n",
             "api:2:8: 'plugins.path' must be an array of strings, not an array"},
        Case{"TableForOption", "[log.level]\n",
             "api:1:1: 'log.level' must be a string, not a table"},
        Case{"ScalarForSection", "log = 3\n", "api:1:7: 'log' must be a table, not an integer"},
        Case{"ScalarForBackend", "backend.shm = 3\n",
             "api:1:15: 'shm' must be a table, not an integer"},
        Case{"Choice", "[plugins]\nprobe = \"chld\"\n",
             "api:2:9: 'plugins.probe' cannot be \"chld\"; use child, in-process, never"},
        Case{"TooSmall", "[group]\ntimeout_ms = 0\n",
             "api:2:14: 'group.timeout_ms' cannot be 0; use 1 to 604800000"},
        Case{"TooLarge", "[wait]\nspin_us = 1000001\n",
             "api:2:11: 'wait.spin_us' cannot be 1000001; use 0 to 1000000"},
        Case{"NegativePriority", "[backend.shm]\npriority = -1\n",
             "api:2:12: 'priority' cannot be -1; use 0 to 100"},
        Case{"PriorityTooLarge", "[backend.shm]\npriority = 101\n",
             "api:2:12: 'priority' cannot be 101; use 0 to 100"},
        Case{"Mode", "[backend.shm]\nmode = \"on\"\n",
             "api:2:8: 'mode' cannot be \"on\"; use required, preferred, optional, off"},
        Case{"BackendOptionType", "[backend.shm]\noptions = { a = [1] }\n",
             "api:2:17: 'a' must be a string, an integer or a boolean, not an array"},
        Case{"RelativePath", "[plugins]\npath = [\"plugins\"]\n",
             "api:2:8: 'plugins.path' must hold absolute paths, not \"plugins\""},
        Case{"VariableInPath", "[plugins]\npath = [\"${libdir}/muster\"]\n",
             "api:2:8: 'plugins.path' must hold absolute paths, not \"${libdir}/muster\""},
        Case{"HomeWithoutHome", "[plugins]\npath = [\"~/plugins\"]\n",
             "api:2:8: 'plugins.path' must hold absolute paths, not \"~/plugins\""},
        Case{"ControlCharacter", "[backend.shm]\noptions = { a = \"x\\u0000y\" }\n",
             "api:2:17: a string with a control character"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Integers, Errors,
    ::testing::Values(Case{"AboveInt64", "[backend.shm]\noptions = { a = 9223372036854775808 }\n",
                           "api:2:17: integer 9223372036854775808 does not fit in 64 bits"},
                      Case{"BelowInt64", "[backend.shm]\noptions = { a = -9223372036854775809 }\n",
                           "api:2:17: integer -9223372036854775809 does not fit in 64 bits"},
                      Case{"Hexadecimal", "[group]\ntimeout_ms = 0x1_0000_0000_0000_0000\n",
                           "api:2:14: integer 0x1_0000_0000_0000_0000 does not fit in 64 bits"},
                      Case{"InUnknownKeyToo", "x = 99999999999999999999\n",
                           "api:1:5: integer 99999999999999999999 does not fit in 64 bits"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Syntax, Errors,
    ::testing::Values(
        Case{"MissingValue", "[log]\nlevel = \n", "api:2:9: not valid TOML: missing value"},
        Case{"OpenString", "[log]\nlevel = \"warn\nx = 1\n", "api:2:9: not valid TOML: "},
        Case{"TwoValues", "[wait]\nspin_us = 1 2\n", "api:2:13: not valid TOML: invalid line"},
        Case{"NotAWord", "[check]\ncalls = tru\n", "api:2:9: not valid TOML: "},
        Case{"LeadingZero", "[wait]\nspin_us = 01\n", "api:2:11: not valid TOML: bad integer"},
        Case{"OpenHeader", "[log\nlevel = \"warn\"\n", "api:1:1: not valid TOML: "},
        Case{"NotUtf8", "[log]\nlevel = \"w\xff\"\n", "api:2:11: byte 0xff is not UTF-8"},
        Case{"OverlongUtf8", "# \xc0\xaf\n", "api:1:3: byte 0xc0 is not UTF-8"},
        Case{"Surrogate", "# \xed\xa0\x80\n", "api:1:3: byte 0xed is not UTF-8"},
        Case{"NulByte", std::string("[log]\n# \0\n", 10), "api:2:3: a NUL byte"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace muster

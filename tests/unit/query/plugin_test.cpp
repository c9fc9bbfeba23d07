// Opening a plugin: its tables, its configured options, its facts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "tests/unit/query/optioned_plugin.hpp"

namespace muster::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

// What a probe without the help of plugin.hpp reports.
std::pair<const char*, const char*> reported;

TEST(PluginOpen, GivenNoConfigurationThenEveryOptionHasItsDefaultInCanonicalForm) {
  const Opening opening;
  ASSERT_NE(opening.plugin, nullptr) << opening.status.message();
  EXPECT_EQ(opening.plugin->id(), "optioned");
  EXPECT_EQ(opening.plugin->version(), "1.2.3");
  EXPECT_THAT(opening.plugin->options_for(opening.config, ""),
              UnorderedElementsAre(Pair("chunk_bytes", "65536"), Pair("channels", "4"),
                                   Pair("eager", "true"), Pair("label", "none")));
}

TEST(PluginOpen, GivenConfiguredOptionsThenThoseOfTheGroupGoFirst) {
  const Opening opening(
      "[backend.optioned.options]\nchunk_bytes = \"2KiB\"\nchannels = 2\n"
      "[group.\"tp*\".backend.optioned.options]\nchannels = 8\n");
  ASSERT_NE(opening.plugin, nullptr) << opening.status.message();
  const auto everywhere = opening.plugin->options_for(opening.config, "pp");
  const auto in_tp = opening.plugin->options_for(opening.config, "tp0");
  EXPECT_EQ(everywhere.at("chunk_bytes"), "2048");
  EXPECT_EQ(everywhere.at("channels"), "2");
  EXPECT_EQ(in_tp.at("chunk_bytes"), "2048");
  EXPECT_EQ(in_tp.at("channels"), "8");
  const muster_host& host = opening.plugin->host();
  EXPECT_STREQ(host.option(&host, "channels"), "2");
  EXPECT_EQ(host.option(&host, "absent"), nullptr);
}

struct WrongOption {
  const char* name;
  const char* toml;
  const char* says;
};

class PluginOptions : public ::testing::TestWithParam<WrongOption> {};

TEST_P(PluginOptions, GivenAWrongValueThenOpeningFailsAndNamesPlaceOptionAndWhatItMustBe) {
  const Opening opening(std::string("[backend.optioned.options]\n") + GetParam().toml + "\n");
  ASSERT_EQ(opening.plugin, nullptr);
  EXPECT_EQ(opening.status.code(), MUSTER_INVALID_ARGUMENT);
  EXPECT_THAT(opening.status.cause(),
              AllOf(HasSubstr("api:4:"), HasSubstr("optioned"), HasSubstr(GetParam().says)));
}

INSTANTIATE_TEST_SUITE_P(
    Values, PluginOptions,
    ::testing::Values(
        WrongOption{"NoInteger", "channels = \"many\"", "'many', it must be an integer"},
        WrongOption{"TrailingText", "channels = \"4x\"", "'4x', it must be an integer"},
        WrongOption{"BelowRange", "channels = 0", "'0', it must be 1 to 16"},
        WrongOption{"AboveRange", "channels = 17", "'17', it must be 1 to 16"},
        WrongOption{"NoBoolean", "eager = \"yes\"", "'yes', it must be true or false"},
        WrongOption{"NoSize", "chunk_bytes = \"big\"", "'big', it must be a size"},
        WrongOption{"SizeBelow", "chunk_bytes = 1023", "'1023', it must be 1024 to 1048576"},
        WrongOption{"SizeAbove", "chunk_bytes = \"2MiB\"", "it must be 1024 to 1048576"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(PluginOpen, GivenValuesAtTheLimitsThenTheyAreTaken) {
  const Opening low("[backend.optioned.options]\nchannels = 1\nchunk_bytes = \"1KiB\"\n");
  EXPECT_NE(low.plugin, nullptr) << low.status.message();
  const Opening high(
      "[backend.optioned.options]\nchannels = 16\nchunk_bytes = \"1MiB\"\neager = false\n");
  EXPECT_NE(high.plugin, nullptr) << high.status.message();
}

TEST(PluginOpen, GivenAMisspeltOptionThenTheNearestNameIsSuggested) {
  const Opening opening("[backend.optioned.options]\nchanels = 2\n");
  ASSERT_EQ(opening.plugin, nullptr);
  EXPECT_THAT(opening.status.cause(),
              AllOf(HasSubstr("api:4:"), HasSubstr("backend optioned has no option 'chanels'")));
  EXPECT_EQ(opening.status.remedy(), "did you mean 'channels'?");
}

TEST(PluginOpen, GivenAnOptionLikeNoOtherThenAllAreListed) {
  const Opening opening("[backend.optioned.options]\nzzzzzzzzzz = 2\n");
  ASSERT_EQ(opening.plugin, nullptr);
  EXPECT_EQ(opening.status.remedy(), "it has: chunk_bytes, channels, eager, label");
}

TEST(PluginOpen, GivenAWrongOptionInASectionOfAGroupThenItIsFoundBeforeAnyGroupExists) {
  const Opening opening("[group.\"tp\".backend.optioned.options]\nchannels = 99\n");
  ASSERT_EQ(opening.plugin, nullptr);
  EXPECT_THAT(opening.status.cause(), AllOf(HasSubstr("api:4:"), HasSubstr("'99'")));
}

struct SpoiltTable {
  const char* name;
  void (*spoil)(muster_backend&);
  const char* says;
};

class PluginTable : public ::testing::TestWithParam<SpoiltTable> {};

TEST_P(PluginTable, GivenATableThatIsNotWholeThenThePluginIsRefusedByName) {
  GetParam().spoil(optioned_table());
  const Opening opening;
  ASSERT_EQ(opening.plugin, nullptr);
  EXPECT_EQ(opening.status.code(), MUSTER_INTERNAL);
  EXPECT_THAT(opening.status.cause(),
              AllOf(HasSubstr("plugin optioned gives muster.backend/1 without"),
                    HasSubstr(GetParam().says)));
  EXPECT_FALSE(opening.status.remedy().empty());
}

INSTANTIATE_TEST_SUITE_P(
    Slots, PluginTable,
    ::testing::Values(
        SpoiltTable{"probe", [](muster_backend& t) { t.probe = nullptr; }, "probe"},
        SpoiltTable{"offer", [](muster_backend& t) { t.offer = nullptr; }, "offer"},
        SpoiltTable{"group_prepare", [](muster_backend& t) { t.group_prepare = nullptr; },
                    "group_prepare"},
        SpoiltTable{"group_connect", [](muster_backend& t) { t.group_connect = nullptr; },
                    "group_connect"},
        SpoiltTable{"execute", [](muster_backend& t) { t.execute = nullptr; }, "execute"},
        SpoiltTable{"group_destroy", [](muster_backend& t) { t.group_destroy = nullptr; },
                    "group_destroy"},
        SpoiltTable{"start_without_test",
                    [](muster_backend& t) {
                      t.start = [](muster_backend_group*, const muster_call*,
                                   muster_request**) -> muster_status* { return nullptr; };
                    },
                    "both of start and test"},
        SpoiltTable{"struct_size", [](muster_backend& t) { t.struct_size -= 8; }, "struct_size"},
        SpoiltTable{"priority", [](muster_backend& t) { t.priority = 101; }, "priority"},
        SpoiltTable{"options", [](muster_backend& t) { t.options = nullptr; }, "options table"},
        SpoiltTable{"name_of_an_option",
                    [](muster_backend& t) {
                      static const muster_option nameless{.struct_size = MUSTER_OPTION_SIZE};
                      t.options = &nameless;
                      t.option_count = 1;
                    },
                    "a name for each option"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(PluginInterfaces, GivenOneThatIsDeclaredAndNotGivenThenThePluginIsRefusedByName) {
  optioned().bootstrap = nullptr;
  const Opening opening;
  ASSERT_EQ(opening.plugin, nullptr);
  EXPECT_THAT(opening.status.cause(),
              HasSubstr("plugin optioned gives muster.bootstrap/1 without a table"));
}

TEST(PluginInterfaces, GivenABootstrapWithoutANameOrOfTooFewSlotsThenThePluginIsRefusedByName) {
  muster_bootstrap nameless = *optioned().bootstrap;
  nameless.name = nullptr;
  muster_bootstrap cut = *optioned().bootstrap;
  cut.struct_size -= 8;
  for (const muster_bootstrap* const table : {&nameless, &cut}) {
    optioned().bootstrap = table;
    const Opening opening;
    ASSERT_EQ(opening.plugin, nullptr);
    EXPECT_THAT(opening.status.cause(),
                HasSubstr("plugin optioned gives muster.bootstrap/1 without a name and all"));
  }
}

TEST(PluginProbe, GivenFactsThenTheyAreKeptAndALaterPutReplacesAnEarlier) {
  const Opening opening;
  optioned().probe = [](plugin::Facts facts) {
    facts.put("device.count", "2");
    facts.put("device.count", "4");
    facts.put("link", "nvlink, 18 lanes");
  };
  ASSERT_TRUE(opening.plugin->probe().ok());
  EXPECT_THAT(opening.plugin->facts(),
              UnorderedElementsAre(Pair("device.count", "4"), Pair("link", "nvlink, 18 lanes")));
}

TEST(PluginProbe, GivenAnUnavailableMachineThenTheCauseIsThePlugins) {
  const Opening opening;
  optioned().probe = [](plugin::Facts) {
    plugin::fail(MUSTER_UNAVAILABLE, "no device", "buy one");
  };
  const Status status = opening.plugin->probe();
  EXPECT_EQ(status.code(), MUSTER_UNAVAILABLE);
  EXPECT_EQ(status.cause(), "optioned: no device");
  EXPECT_EQ(status.remedy(), "buy one");
}

TEST(PluginProbe, GivenFactsOutsideTheirLimitsThenTheProbeFails) {
  const Opening opening;
  const auto probing = [&](const std::string& key, const std::string& value) {
    optioned().probe = [=](plugin::Facts facts) { facts.put(key, value); };
    return opening.plugin->probe();
  };
  EXPECT_TRUE(probing("a_1.b", std::string(4091, 'v')).ok());
  EXPECT_THAT(probing("a_1.b", std::string(4092, 'v')).cause(),
              AllOf(HasSubstr("optioned"), HasSubstr("longer than 4096 bytes")));
  EXPECT_THAT(probing("Upper", "v").cause(), HasSubstr("'Upper'"));
  EXPECT_FALSE(probing("", "v").ok());
  EXPECT_FALSE(probing(std::string(64, 'k'), "v").ok());
  EXPECT_TRUE(probing(std::string(63, 'k'), "v").ok());
  EXPECT_FALSE(probing("key", "line\nbreak").ok());
  EXPECT_EQ(probing("with space", "v").code(), MUSTER_INTERNAL);
}

TEST(PluginProbe, GivenAFactWithoutKeyOrValueThenTheProbeFails) {
  for (const auto& [key, value] : {std::pair<const char*, const char*>{nullptr, "v"},
                                   std::pair<const char*, const char*>{"k", nullptr}}) {
    optioned_table().probe = [](muster_instance*, const muster_fact_sink* facts) -> muster_status* {
      facts->put(facts->context, reported.first, reported.second);
      return nullptr;
    };
    reported = {key, value};
    const Opening opening;
    const Status status = opening.plugin->probe();
    EXPECT_EQ(status.code(), MUSTER_INTERNAL);
    EXPECT_THAT(status.cause(), HasSubstr("plugin optioned: it reported a fact without"));
  }
}

TEST(PluginHost, GivenAStatusOfThePluginThenItsCauseNamesThePlugin) {
  const Opening opening;
  const muster_host& host = opening.plugin->host();
  const Status status(host.status_make(&host, MUSTER_PEER_LOST, "gone", nullptr));
  EXPECT_EQ(host.status_code(nullptr), uint32_t{MUSTER_OK});
  EXPECT_EQ(status.code(), MUSTER_PEER_LOST);
  EXPECT_EQ(status.cause(), "optioned: gone");
  EXPECT_EQ(host.get_interface(&host, "muster.future/9"), nullptr);
}

TEST(PluginHost, GivenARecordOfThePluginThenItIsAmongTheDecisions) {
  Opening opening;
  const muster_host& host = opening.plugin->host();
  host.record(&host, "link", "chosen", "it is the fastest");
  const Record last = opening.records.all().back();
  EXPECT_EQ(last.subject, "optioned link");
  EXPECT_EQ(last.verdict, "chosen");
  EXPECT_EQ(last.reason, "it is the fastest");
}

}  // namespace
}  // namespace muster::testing

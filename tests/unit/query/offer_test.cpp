// Asking a backend for its offer: what it is told, and which rules are refused.
#include "core/query/offer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/query/optioned_plugin.hpp"

namespace muster::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<Offer> ask(const Opening& opening, std::vector<FactMap> facts = {{}, {}}) {
  GroupDescription group;
  group.name = "tp";
  group.bootstrap = "threads";
  group.determinism = MUSTER_RUN_TO_RUN;
  for (uint32_t r = 0; r < facts.size(); ++r) group.places.push_back({r, r / 2, r, -1});
  std::vector<const FactMap*> pointers;
  for (const FactMap& map : facts) pointers.push_back(&map);
  return ask_offer(*opening.plugin, group, pointers,
                   opening.plugin->options_for(opening.config, "tp"));
}

TEST(Offer, GivenAGroupThenTheBackendIsToldAllOfIt) {
  const Opening opening("[backend.optioned.options]\nchannels = 3\n");
  optioned().offer = [](plugin::Query query) {
    EXPECT_EQ(query.size(), 3u);
    EXPECT_EQ(query.get().determinism, MUSTER_RUN_TO_RUN);
    EXPECT_STREQ(query.get().group_name, "tp");
    EXPECT_EQ(query.bootstrap(), "threads");
    EXPECT_EQ(query.place(2).node, 1u);
    EXPECT_FALSE(query.one_node());
    EXPECT_EQ(query.fact(0, "device"), "a");
    EXPECT_EQ(query.fact(1, "device"), "b");
    EXPECT_EQ(query.get().fact(query.get().context, 2, "device"), nullptr);
    EXPECT_EQ(query.get().fact(query.get().context, 3, "device"), nullptr) << "no such rank";
    EXPECT_EQ(query.option("channels"), "3");
    EXPECT_EQ(query.get().option(query.get().context, "absent"), nullptr);
    query.add(plugin::rule("ring", MUSTER_BIT(MUSTER_BARRIER)));
    query.decline("no multicast");
    query.decline("no nvlink");
  };
  const Result<Offer> offer = ask(opening, {{{"device", "a"}}, {{"device", "b"}}, {}});
  ASSERT_TRUE(offer.ok()) << offer.status().message();
  ASSERT_EQ(offer->rules.size(), 1u);
  EXPECT_STREQ(offer->rules[0].name, "ring");
  EXPECT_THAT(offer->declined, ElementsAre("no multicast", "no nvlink"));
}

TEST(Offer, GivenABackendThatFailsThenSoDoesTheOffer) {
  const Opening opening;
  optioned().offer = [](plugin::Query) { plugin::fail(MUSTER_INTERNAL, "table is empty"); };
  const Result<Offer> offer = ask(opening);
  EXPECT_EQ(offer.status().code(), MUSTER_INTERNAL);
  EXPECT_EQ(offer.status().cause(), "optioned: table is empty");
}

struct Defect {
  const char* name;
  void (*spoil)(muster_rule&);
  const char* says;
};

TEST(Offer, GivenMoreRulesThanATableCanNumberThenItIsRefused) {
  const Opening opening;
  optioned().offer = [](plugin::Query query) {
    for (int i = 0; i < 70'000; ++i) query.add(plugin::rule("ring", MUSTER_BIT(MUSTER_ALL_REDUCE)));
  };
  const Result<Offer> offer = ask(opening);
  ASSERT_FALSE(offer.ok());
  EXPECT_THAT(offer.status().cause(), HasSubstr("more than 4096 rules"));
}

class OfferRule : public ::testing::TestWithParam<Defect> {};

TEST_P(OfferRule, GivenADefectThenTheWholeOfferIsRefusedAndTheRuleIsNamed) {
  const Opening opening;
  optioned().offer = [](plugin::Query query) {
    muster_rule rule = plugin::rule("ring", MUSTER_BIT(MUSTER_ALL_REDUCE));
    query.add(rule);
    GetParam().spoil(rule);
    query.add(rule);
  };
  const Result<Offer> offer = ask(opening);
  ASSERT_FALSE(offer.ok());
  EXPECT_EQ(offer.status().code(), MUSTER_INTERNAL);
  EXPECT_THAT(offer.status().cause(),
              AllOf(HasSubstr("the offer of optioned is not well formed: rule 1 ("),
                    HasSubstr(GetParam().says)));
}

INSTANTIATE_TEST_SUITE_P(
    Defects, OfferRule,
    ::testing::Values(
        Defect{"StructSize", [](muster_rule& r) { r.struct_size -= 1; }, "struct_size"},
        Defect{"Name", [](muster_rule& r) { std::memset(r.name, 'x', sizeof(r.name)); },
               "its name has no end"},
        Defect{"NoOperation", [](muster_rule& r) { r.ops = 0; }, "no operation"},
        Defect{"ScoreAbove", [](muster_rule& r) { r.score = 101; }, "score"},
        Defect{"ScoreBelow", [](muster_rule& r) { r.score = -101; }, "score"},
        Defect{"BytesReversed",
               [](muster_rule& r) {
                 r.bytes_from = 2;
                 r.bytes_to = 1;
               },
               "bytes_from is above bytes_to"},
        Defect{"BytesOpen", [](muster_rule& r) { r.bytes_from = 2; },
               "bytes_to is 0 and bytes_from is not"},
        Defect{"RanksReversed",
               [](muster_rule& r) {
                 r.ranks_from = 3;
                 r.ranks_to = 2;
               },
               "ranks_from is above ranks_to"},
        Defect{"HalfAPhase", [](muster_rule& r) { r.phases = MUSTER_BIT(MUSTER_GRAPH_CAPTURE); },
               "only one of warm-up and capture"},
        Defect{"Flags", [](muster_rule& r) { r.flags = MUSTER_RULE_FLAGS + 1; },
               "its flags 0x8 are unknown"},
        Defect{"Place", [](muster_rule& r) { r.place = 3; }, "place"},
        Defect{"Determinism", [](muster_rule& r) { r.determinism = MUSTER_DETERMINISM_END; },
               "determinism"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(Offer, GivenAPluginOfALaterMinorThenOnlyTheRulesThatCannotBeReadAreLeftOut) {
  const Opening opening("", MUSTER_ABI_MINOR + 1);
  optioned().offer = [](plugin::Query query) {
    muster_rule rule = plugin::rule("known", MUSTER_BIT(MUSTER_ALL_REDUCE) | MUSTER_BIT(60));
    query.add(rule);
    rule.flags = MUSTER_RULE_FLAGS + 1;
    query.add(rule);
    rule.flags = 0;
    rule.place = MUSTER_PLACE_OUT + 1;
    query.add(rule);
    rule.place = MUSTER_PLACE_ANY;
    rule.determinism = MUSTER_DETERMINISM_END;
    query.add(rule);
  };
  const Result<Offer> offer = ask(opening);
  ASSERT_TRUE(offer.ok()) << offer.status().message();
  EXPECT_EQ(offer->rules.size(), 1u);
  EXPECT_THAT(offer->declined,
              ElementsAre(HasSubstr("its flags 0x8 are unknown"), HasSubstr("its place is unknown"),
                          HasSubstr("its determinism class is unknown")));
}

TEST(Offer, GivenRulesAtTheirLimitsThenTheyAreTaken) {
  const Opening opening;
  optioned().offer = [](plugin::Query query) {
    muster_rule rule = plugin::rule(std::string(31, 'n').c_str(), MUSTER_BIT(MUSTER_ALL_REDUCE));
    rule.score = 100;
    rule.bytes_from = rule.bytes_to = 7;
    rule.ranks_from = rule.ranks_to = 2;
    rule.phases = MUSTER_BIT(MUSTER_GRAPH_WARMUP) | MUSTER_BIT(MUSTER_GRAPH_CAPTURE);
    query.add(rule);
    rule.score = -100;
    query.add(rule);
  };
  const Result<Offer> offer = ask(opening);
  ASSERT_TRUE(offer.ok()) << offer.status().message();
  EXPECT_EQ(offer->rules.size(), 2u);
}

}  // namespace
}  // namespace muster::testing

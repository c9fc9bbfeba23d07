// Explanations of a compiled chain: who, why, and why not the others.
#include "core/explain/explain.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/chain/match.hpp"
#include "tests/unit/chain/rules.hpp"

namespace muster::testing {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

Question question_of(const CellKey& key, uint64_t bytes = 64) {
  Question question;
  question.key = key;
  question.op = key.op;
  question.bytes = bytes;
  return question;
}
const Question kQuestion = question_of(key_of(MUSTER_ALL_REDUCE));

struct Absence {
  const char* name;
  void (*change)(muster_rule& rule, Question& question);
  const char* says;
  muster_determinism determinism = MUSTER_NONDETERMINISTIC;
};

class ExplainAbsence : public ::testing::TestWithParam<Absence> {};

TEST_P(ExplainAbsence, GivenARuleThatDoesNotMatchThenTheReasonSaysInWhat) {
  muster_rule rule = rule_for(MUSTER_ALL_REDUCE, "ring");
  Question question = kQuestion;
  GetParam().change(rule, question);
  question.op = question.key.op == MUSTER_SEND ? question.op : question.key.op;
  muster_rule other = rule_for_all(all_below(MUSTER_OP_END), "other");
  other.memory = bits({MUSTER_HOST, MUSTER_CUDA});
  other.phases = MUSTER_BIT(MUSTER_PHASE_END) - 1;
  other.flags = MUSTER_RULE_UNSIZED;
  const Chain chain = chain_of({backend_of("a", 90, {rule}), backend_of("b", 10, {other})}, {}, 4,
                               GetParam().determinism);
  const Explanation explanation = explain(chain, question);
  EXPECT_EQ(explanation.answer, "b");
  ASSERT_EQ(explanation.left_out.size(), 1u);
  EXPECT_EQ(explanation.left_out[0].backend, "a");
  EXPECT_EQ(explanation.left_out[0].stage, "chain");
  EXPECT_THAT(explanation.left_out[0].reason, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, ExplainAbsence,
    ::testing::Values(
        Absence{"Operation", [](muster_rule& r, Question&) { r.ops = MUSTER_BIT(MUSTER_BARRIER); },
                "does not offer all_reduce"},
        Absence{"Dtype",
                [](muster_rule& r, Question&) {
                  r.dtypes = bits({MUSTER_F16, MUSTER_U8});
                },
                "for u8 f16 only, not f32"},
        Absence{"Redop", [](muster_rule& r, Question&) { r.redops = bits({MUSTER_MAX}); },
                "with max only, not sum"},
        Absence{"Memory", [](muster_rule& r, Question&) { r.memory = bits({MUSTER_CUDA}); },
                "offers cuda memory only, not host"},
        Absence{"Phase", [](muster_rule&, Question& q) { q.key.phase = kPhaseGraph; },
                "offers phases eager only, not graph"},
        Absence{"Ranks",
                [](muster_rule& r, Question&) {
                  r.ranks_from = 2;
                  r.ranks_to = 3;
                },
                "offers groups of 2 to 3 ranks, not 4"},
        Absence{"Determinism",
                [](muster_rule& r, Question&) { r.determinism = MUSTER_NONDETERMINISTIC; },
                "the group asks for", MUSTER_RUN_TO_RUN},
        Absence{"Place",
                [](muster_rule& r, Question& q) {
                  r.ops = MUSTER_BIT(MUSTER_REDUCE);
                  r.place = MUSTER_PLACE_OUT;
                  q.key = key_of(MUSTER_REDUCE);
                },
                "the ranks of a rooted operation cannot tell alike"},
        Absence{"PointToPoint",
                [](muster_rule& r, Question& q) {
                  r.ops = MUSTER_BIT(MUSTER_SEND);
                  q.key = key_of(MUSTER_SEND);
                  q.op = MUSTER_RECV;
                  q.bytes = kUnsized;
                },
                "does not offer send, recv and send_recv together"},
        Absence{"Unsized",
                [](muster_rule& r, Question& q) {
                  r.ops = MUSTER_BIT(MUSTER_GATHERV);
                  q.key = key_of(MUSTER_GATHERV);
                  q.bytes = kUnsized;
                },
                "give max_bytes"},
        Absence{"Bytes",
                [](muster_rule& r, Question&) {
                  r.bytes_from = 1024;
                  r.bytes_to = 65536;
                },
                "offers 1KiB..64KiB bytes only"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(Explain, GivenSeveralRulesThenTheNearestMissIsTold) {
  muster_rule far = rule_for(MUSTER_BROADCAST);
  muster_rule near = rule_for(MUSTER_ALL_REDUCE);
  near.bytes_from = 1 << 20;
  near.bytes_to = UINT64_MAX;
  const Explanation explanation = explain(chain_of({backend_of("a", 50, {near, far})}), kQuestion);
  EXPECT_EQ(explanation.left_out[0].reason, "offers 1MiB..any bytes only");
}

TEST(Explain, GivenACandidateThatPassesACallOnThenItSaysWhy) {
  const auto refusal = [](auto change, uint32_t traits, uint64_t bytes) {
    muster_rule rule = rule_for(MUSTER_ALL_REDUCE);
    change(rule);
    Question question = kQuestion;
    question.traits = traits;
    question.bytes = bytes;
    const Explanation explanation = explain(chain_of({backend_of("a", 50, {rule})}), question);
    EXPECT_EQ(explanation.chain.size(), 1u);
    EXPECT_EQ(explanation.chain[0].takes, explanation.chain[0].refusal.empty());
    EXPECT_EQ(explanation.answer, explanation.chain[0].takes ? "a" : "");
    return explanation.chain[0].refusal;
  };
  EXPECT_EQ(refusal([](muster_rule&) {}, kPlain, 64), "");
  EXPECT_EQ(refusal([](muster_rule& r) { r.place = MUSTER_PLACE_IN; }, kPlain, 64),
            "takes only calls in place");
  EXPECT_EQ(refusal([](muster_rule& r) { r.place = MUSTER_PLACE_OUT; }, kInPlace, 64),
            "takes only calls out of place");
  EXPECT_EQ(refusal([](muster_rule& r) { r.flags = MUSTER_RULE_SYMMETRIC; }, kPlain, 64),
            "takes only memory that was registered collectively");
  EXPECT_EQ(refusal([](muster_rule& r) { r.streams = bits({MUSTER_STREAM_CUDA}); }, kPlain, 64),
            "does not take this kind of stream");
  EXPECT_EQ(refusal([](muster_rule& r) { r.bytes_multiple = 16; }, kPlain, 60),
            "takes only multiples of 16 bytes");
}

TEST(Explain, GivenPoliciesThenTheirPlacesAreNamed) {
  const std::vector<PolicyRule> policy = {prefer({"b"}, 3), forbid({"c"}, 7)};
  const muster_rule rule = rule_for(MUSTER_ALL_REDUCE);
  const Explanation explanation = explain(
      chain_of(
          {backend_of("a", 90, {rule}), backend_of("b", 10, {rule}), backend_of("c", 99, {rule})},
          policy),
      kQuestion);
  EXPECT_EQ(explanation.answer, "b");
  EXPECT_EQ(explanation.chain[0].position, "preferred by /etc/muster.toml:3:1");
  EXPECT_EQ(explanation.chain[1].position, "priority 90 by plugin");
  ASSERT_EQ(explanation.left_out.size(), 1u);
  EXPECT_EQ(explanation.left_out[0].reason, "forbidden");
  EXPECT_EQ(explanation.left_out[0].source, "/etc/muster.toml:7:1");
}

TEST(Explain, GivenBackendsThatFellOutBeforeThenTheirStagesAreKept) {
  Chain chain = chain_of({backend_of("a", 90, {rule_for(MUSTER_ALL_REDUCE)})});
  chain.left_out.push_back({"x", Stage::kCheck, "known-answer test: rank 1: ...", "plugin"});
  chain.left_out.push_back({"y", Stage::kDiscover, "switched off", "/etc/muster.toml:9:1"});
  const Explanation explanation = explain(chain, kQuestion);
  ASSERT_EQ(explanation.left_out.size(), 2u);
  EXPECT_EQ(explanation.left_out[0].stage, stage_name(Stage::kCheck));
  EXPECT_EQ(explanation.left_out[1].source, "/etc/muster.toml:9:1");
}

TEST(Explain, GivenASizeThenTheBandIsTheOneThatHoldsIt) {
  muster_rule rule = rule_for(MUSTER_ALL_REDUCE);
  rule.bytes_from = 1024;
  rule.bytes_to = 65536;
  const Chain chain = chain_of({backend_of("a", 50, {rule})});
  const auto band = [&](uint64_t bytes) {
    return explain(chain, question_of(kQuestion.key, bytes)).band;
  };
  EXPECT_EQ(band(0), "0..1023");
  EXPECT_EQ(band(1024), "1KiB..64KiB");
  EXPECT_EQ(band(65536), "1KiB..64KiB");
  EXPECT_EQ(band(65537), "65537..any");
  EXPECT_EQ(explain(chain, question_of(key_of(MUSTER_GATHERV), kUnsized)).band, "unsized");
}

TEST(Explain, GivenNobodyThenTheAnswerIsEmptyAndTheTextSaysSo) {
  const Chain chain = chain_of({backend_of("a", 50, {rule_for(MUSTER_BARRIER)})});
  const Explanation explanation = explain(chain, kQuestion);
  EXPECT_EQ(explanation.answer, "");
  EXPECT_THAT(explanation_text(explanation), HasSubstr("nobody serves this call"));
  EXPECT_TRUE(Json::parse(explanation_json(explanation))["answer"].is_null());
}

TEST(Explain, GivenAKindOfMemoryThatNobodyServesThenEveryBackendSaysSo) {
  Question question = kQuestion;
  question.key.memory = MUSTER_HIP;
  const Explanation explanation =
      explain(chain_of({backend_of("a", 50, {rule_for(MUSTER_ALL_REDUCE)})}), question);
  EXPECT_EQ(explanation.answer, "");
  EXPECT_EQ(explanation.left_out[0].reason, "offers host memory only, not hip");
}

TEST(Explain, GivenAnExplanationThenTextAndJsonHoldTheSameFacts) {
  muster_rule limited = rule_for(MUSTER_ALL_REDUCE, "limited");
  limited.bytes_multiple = 48;
  limited.score = -7;
  muster_rule gather = rule_for(MUSTER_ALL_GATHER, "gathers");
  const std::vector<PolicyRule> policy = {forbid({"c"}, 7)};
  Chain chain = chain_of({backend_of("a", 90, {limited}), backend_of("b", 10, {gather}),
                          backend_of("c", 50, {limited})},
                         policy, 4, MUSTER_RUN_TO_RUN, "tp0");
  chain.left_out.push_back({"x", Stage::kAgree, "rank 2: connect: link is down", "plugin"});
  const Explanation e = explain(chain, kQuestion);
  EXPECT_EQ(e.answer, "composed(b)");
  const Json json = Json::parse(explanation_json(e));
  const std::string text = explanation_text(e);
  EXPECT_EQ(json["schema"], "muster.explain/1");
  std::vector<std::string> facts = {json["group"], json["determinism"], json["chain_digest"],
                                    json["call"],  json["band"],        json["answer"],
                                    "4 ranks"};
  EXPECT_EQ(json["ranks"], 4);
  ASSERT_EQ(json["chain"].size(), 2u);
  ASSERT_EQ(json["left_out"].size(), 3u);
  for (const Json& candidate : json["chain"]) {
    facts.push_back(candidate["backend"]);
    facts.push_back(candidate["position"]);
    facts.push_back(candidate["refusal"]);
    if (candidate["rule"] == "") continue;
    facts.push_back("rule " + candidate["rule"].get<std::string>() + " score " +
                    std::to_string(candidate["score"].get<int>()));
    facts.push_back("priority " + std::to_string(candidate["priority"].get<int>()) + " by " +
                    candidate["priority_source"].get<std::string>());
  }
  for (const Json& absence : json["left_out"]) {
    facts.push_back(absence["backend"]);
    facts.push_back(absence["stage"].get<std::string>() + ": " +
                    absence["reason"].get<std::string>());
    facts.push_back(absence["source"]);
  }
  for (const std::string& fact : facts) EXPECT_THAT(text, HasSubstr(fact));
  EXPECT_EQ(e.call, "all_reduce f32 sum 64 host eager");
}

}  // namespace
}  // namespace muster::testing

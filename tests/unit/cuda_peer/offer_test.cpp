// What the backend offers to imagined groups, and what it says when it does not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "muster/plugin.hpp"
#include "muster/variants.h"

extern "C" const muster_entry muster_plugin_entry;

namespace muster::cuda_peer {
namespace {

using Facts = std::map<std::string, std::string>;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// A rank's machine with devices all linked in one way.
Facts machine(int devices, char link, const std::string& architecture = "sm_90") {
  Facts facts{{"devices", std::to_string(devices)}, {"sources", "abc"}};
  for (int ranks = 2; ranks <= 8; ++ranks) {
    facts["variants." + architecture + "." + std::to_string(ranks)] =
        "moves reductions.bf16 reductions.f16 reductions.f32";
  }
  for (int i = 0; i < devices; ++i) {
    const std::string number = std::to_string(i);
    facts["uuid." + number] = "uuid" + number;
    facts["arch." + number] = architecture;
    std::string links(devices, link);
    links[i] = 'S';
    facts["links." + number] = links;
  }
  return facts;
}

struct Described {
  std::vector<Facts> ranks;
  std::vector<muster_rank_place> places;
  std::map<std::string, std::string> options;

  Described(uint32_t size, int devices, char link, const std::string& architecture = "sm_90") {
    for (uint32_t r = 0; r < size; ++r) {
      ranks.push_back(machine(devices, link, architecture));
      places.push_back({r, 0, r, static_cast<int32_t>(r) % devices});
    }
  }
};

struct Answer {
  std::vector<muster_rule> rules;
  std::vector<std::string> reasons;

  // The names of the rules that take a call; known: only those for memory that all ranks know.
  std::vector<std::string> takers(muster_op op, muster_dtype dtype, muster_redop redop,
                                  uint64_t bytes, bool known = false) const {
    std::vector<std::string> names;
    for (const muster_rule& rule : rules) {
      if (((rule.flags & MUSTER_RULE_SYMMETRIC) != 0) != known) continue;
      if ((rule.ops & MUSTER_BIT(op)) == 0 || (rule.dtypes & MUSTER_BIT(dtype)) == 0) continue;
      if (redop != MUSTER_REDOP_NONE && (rule.redops & MUSTER_BIT(redop)) == 0) continue;
      if (bytes < rule.bytes_from || bytes > rule.bytes_to) continue;
      names.emplace_back(rule.name);
    }
    return names;
  }
};

class PeerOffer : public testing::Test {
 protected:
  PeerOffer() {
    EXPECT_EQ(muster_plugin_entry.open(&host_, &instance_), nullptr);
    backend_ = static_cast<const muster_backend*>(
        muster_plugin_entry.get_interface(instance_, MUSTER_BACKEND_INTERFACE));
  }
  ~PeerOffer() override { muster_plugin_entry.close(instance_); }

  Answer ask(const Described& group) {
    struct Context {
      const Described& group;
      std::map<std::string, std::string> options;
      Answer answer;
    } context{group, group.options, {}};
    for (uint32_t i = 0; i < backend_->option_count; ++i) {
      context.options.emplace(backend_->options[i].name, backend_->options[i].default_value);
    }
    muster_offer_query query{};
    query.struct_size = MUSTER_OFFER_QUERY_SIZE;
    query.size = static_cast<uint32_t>(group.ranks.size());
    query.group_name = "tp";
    query.bootstrap = "local";
    query.places = group.places.data();
    query.context = &context;
    query.fact = [](void* c, uint32_t rank, const char* key) -> const char* {
      const Facts& facts = static_cast<Context*>(c)->group.ranks[rank];
      const auto found = facts.find(key);
      return found == facts.end() ? nullptr : found->second.c_str();
    };
    query.option = [](void* c, const char* key) -> const char* {
      return static_cast<Context*>(c)->options.at(key).c_str();
    };
    query.add_rule = [](void* c, const muster_rule* rule) {
      static_cast<Context*>(c)->answer.rules.push_back(*rule);
    };
    query.decline = [](void* c, const char* reason) {
      static_cast<Context*>(c)->answer.reasons.emplace_back(reason);
    };
    EXPECT_EQ(backend_->offer(instance_, &query), nullptr);
    return context.answer;
  }
  std::string only_reason(const Described& group) {
    const Answer answer = ask(group);
    EXPECT_THAT(answer.rules, IsEmpty());
    EXPECT_EQ(answer.reasons.size(), 1u);
    return answer.reasons.empty() ? "" : answer.reasons.front();
  }

  muster_host host_{};
  muster_instance* instance_ = nullptr;
  const muster_backend* backend_ = nullptr;
};

TEST_F(PeerOffer, GivenLinkedDevicesThenExactlyOneRuleTakesEverySize) {
  for (const uint32_t size : {2u, 4u, 8u}) {
    const Answer answer = ask(Described(size, 8, 'N'));
    EXPECT_THAT(answer.reasons, IsEmpty());
    for (uint64_t bytes = 1; bytes < uint64_t{1} << 40; bytes *= 2) {
      for (const uint64_t near : {bytes - 1, bytes, bytes + 1}) {
        EXPECT_EQ(answer.takers(MUSTER_ALL_REDUCE, MUSTER_BF16, MUSTER_SUM, near).size(), 1u);
        EXPECT_EQ(answer.takers(MUSTER_ALL_GATHER, MUSTER_U8, MUSTER_REDOP_NONE, near).size(), 1u);
      }
    }
    for (const muster_rule& rule : answer.rules) {
      EXPECT_EQ(rule.memory, MUSTER_BIT(MUSTER_CUDA));
      // Warm-up is decided as capture is.
      EXPECT_NE(rule.phases & MUSTER_BIT(MUSTER_GRAPH_WARMUP), 0u);
      EXPECT_NE(rule.phases & MUSTER_BIT(MUSTER_GRAPH_CAPTURE), 0u);
    }
  }
}

TEST_F(PeerOffer, GivenASizeThenTheBandNamesTheAlgorithm) {
  const Answer answer = ask(Described(4, 4, 'N'));
  const auto of = [&](uint64_t bytes) {
    return answer.takers(MUSTER_ALL_REDUCE, MUSTER_F16, MUSTER_MAX, bytes);
  };
  EXPECT_THAT(of(1024), ElementsAre("one_shot_push"));
  EXPECT_THAT(of(1 << 20), ElementsAre("two_shot_push"));
  EXPECT_THAT(of(1 << 28), ElementsAre("staged"));
}

TEST_F(PeerOffer, GivenWhatNoKernelDoesThenNoRuleTakesIt) {
  const Answer answer = ask(Described(2, 2, 'N'));
  EXPECT_THAT(answer.takers(MUSTER_ALL_REDUCE, MUSTER_I32, MUSTER_SUM, 64), IsEmpty());
  EXPECT_THAT(answer.takers(MUSTER_ALL_REDUCE, MUSTER_F32, MUSTER_BAND, 64), IsEmpty());
  EXPECT_THAT(answer.takers(MUSTER_SEND, MUSTER_F32, MUSTER_REDOP_NONE, 64), IsEmpty());
  EXPECT_THAT(answer.takers(MUSTER_FUSED_ALL_REDUCE_RMSNORM, MUSTER_BF16, MUSTER_SUM, 1 << 14),
              ElementsAre("one_shot_push"));
}

TEST_F(PeerOffer, GivenTheFusedOperationThenItsBitsMayDependOnTheNumberOfRows) {
  for (const muster_rule& rule : ask(Described(2, 2, 'N')).rules) {
    const bool fused = (rule.ops & MUSTER_BIT(MUSTER_FUSED_ALL_REDUCE_RMSNORM)) != 0;
    const uint32_t kept = fused ? MUSTER_RANK_INVARIANT : MUSTER_SIZE_INVARIANT;
    EXPECT_EQ(rule.determinism, kept) << rule.name;
  }
}

TEST_F(PeerOffer, GivenAnOlderDeviceThenTheQuantisedFormIsNotOffered) {
  const auto quantised = [&](const std::string& architecture) {
    for (const muster_rule& rule : ask(Described(2, 2, 'N', architecture)).rules) {
      if ((rule.flags & MUSTER_RULE_QUANTISED) != 0) return true;
    }
    return false;
  };
  EXPECT_FALSE(quantised("sm_80"));
  EXPECT_TRUE(quantised("sm_90"));
}

TEST_F(PeerOffer, GivenAPairWithoutNvlinkThenItIsNamedAndStagesServe) {
  Described group(4, 4, 'N');
  for (Facts& facts : group.ranks) facts["links.1"] = "NSNP";
  const Answer answer = ask(group);
  ASSERT_EQ(answer.reasons.size(), 1u);
  EXPECT_THAT(answer.reasons[0],
              HasSubstr("device 1 (rank 1) and device 3 (rank 3) have peer access without NVLink"));
  EXPECT_THAT(answer.takers(MUSTER_ALL_REDUCE, MUSTER_BF16, MUSTER_SUM, 64), ElementsAre("staged"));
}

TEST_F(PeerOffer, GivenMemoryThatAllKnowThenLargeResultsGoWhereTheyBelong) {
  const Answer answer = ask(Described(8, 8, 'N'));
  EXPECT_THAT(answer.takers(MUSTER_ALL_REDUCE, MUSTER_BF16, MUSTER_SUM, 1 << 30, true),
              ElementsAre("direct"));
  EXPECT_THAT(answer.takers(MUSTER_ALL_GATHER, MUSTER_U8, MUSTER_REDOP_NONE, 1 << 30, true),
              ElementsAre("direct"));
  EXPECT_THAT(answer.takers(MUSTER_ALL_REDUCE, MUSTER_BF16, MUSTER_SUM, 64, true), IsEmpty());
  EXPECT_THAT(answer.takers(MUSTER_REDUCE_SCATTER, MUSTER_BF16, MUSTER_SUM, 1 << 30, true),
              IsEmpty());
}

TEST_F(PeerOffer, GivenPullsThenTheyNeedNvlinkAndMemoryThatAllKnow) {
  Described group(4, 4, 'N');
  group.options["algorithm"] = "one_shot_pull";
  const Answer linked = ask(group);
  EXPECT_THAT(linked.takers(MUSTER_ALL_REDUCE, MUSTER_BF16, MUSTER_SUM, 1 << 20, true),
              ElementsAre("one_shot_pull"));
  EXPECT_THAT(linked.takers(MUSTER_ALL_REDUCE, MUSTER_BF16, MUSTER_SUM, 64), SizeIs(1));
  for (Facts& facts : group.ranks) facts["links.1"] = "NSNP";
  const Answer apart = ask(group);
  EXPECT_THAT(apart.takers(MUSTER_ALL_REDUCE, MUSTER_BF16, MUSTER_SUM, 1 << 20, true),
              ElementsAre("direct"));
}

TEST_F(PeerOffer, GivenNoDirectUseThenNothingIsSaidOfKnownMemory) {
  Described group(2, 2, 'N');
  group.options["direct"] = "false";
  EXPECT_THAT(ask(group).takers(MUSTER_ALL_REDUCE, MUSTER_BF16, MUSTER_SUM, 1 << 30, true),
              IsEmpty());
}

TEST_F(PeerOffer, GivenAPairWithoutPeerAccessThenItDeclinesNamingIt) {
  Described group(4, 4, 'N');
  for (Facts& facts : group.ranks) facts["links.2"] = "-NSN";
  EXPECT_THAT(only_reason(group),
              HasSubstr("device 2 (rank 2) and device 0 (rank 0) have no peer access"));
}

TEST_F(PeerOffer, GivenARankThatCannotTakePartThenItIsNamedWithTheCause) {
  Described other(4, 4, 'N');
  other.ranks[2]["arch.2"] = "sm_80";
  EXPECT_EQ(only_reason(other), "rank 2 has a device of sm_80, rank 0 one of sm_90");
  Described older(4, 4, 'N');
  older.ranks[1]["sources"] = "older";
  EXPECT_EQ(only_reason(older), "rank 1 has other kernels than rank 0");
  Described bare(4, 4, 'N');
  bare.ranks[1].clear();
  EXPECT_THAT(only_reason(bare), HasSubstr("rank 1 has no NVIDIA device"));
  Described unbound(4, 4, 'N');
  unbound.places[1].device = -1;
  EXPECT_EQ(only_reason(unbound), "rank 1 is bound to no device");
  Described beyond(4, 4, 'N');
  beyond.places[1].device = 4;
  EXPECT_EQ(only_reason(beyond), "rank 1 is bound to device 4 but sees only 4");
  Described far(4, 4, 'N');
  far.places[3].node = 1;
  EXPECT_THAT(only_reason(far), HasSubstr("rank 3 is on node 1, rank 0 on node 0"));
}

TEST_F(PeerOffer, GivenAVariantThatIsNotReadyOnARankThenOnlyItIsNotOfferedAndBothAreNamed) {
  Described group(8, 8, 'N');
  group.ranks[5]["variants.sm_90.8"] = "moves reductions.f16 reductions.f32";
  const Answer answer = ask(group);
  ASSERT_EQ(answer.reasons.size(), 1u);
  EXPECT_THAT(answer.reasons[0], HasSubstr("reductions.bf16.8.sm_90 is not ready on rank 5"));
  for (const uint64_t bytes : {uint64_t{64}, uint64_t{1} << 20, uint64_t{1} << 28}) {
    EXPECT_THAT(answer.takers(MUSTER_ALL_REDUCE, MUSTER_BF16, MUSTER_SUM, bytes), IsEmpty());
    EXPECT_EQ(answer.takers(MUSTER_ALL_REDUCE, MUSTER_F32, MUSTER_SUM, bytes).size(), 1u);
    EXPECT_EQ(answer.takers(MUSTER_ALL_GATHER, MUSTER_BF16, MUSTER_REDOP_NONE, bytes).size(), 1u);
  }
  EXPECT_THAT(answer.takers(MUSTER_FUSED_ALL_REDUCE_RMSNORM, MUSTER_BF16, MUSTER_SUM, 1 << 14),
              IsEmpty());
}

TEST_F(PeerOffer, GivenNoMovesOnTwoRanksThenReductionsAreOfferedAndBothRanksAreNamed) {
  Described group(4, 4, 'N');
  for (const size_t rank : {1, 3}) {
    group.ranks[rank]["variants.sm_90.4"] = "reductions.bf16 reductions.f16 reductions.f32";
  }
  const Answer answer = ask(group);
  ASSERT_EQ(answer.reasons.size(), 1u);
  EXPECT_THAT(answer.reasons[0], HasSubstr("moves.4.sm_90 is not ready on rank 1, rank 3"));
  EXPECT_THAT(answer.takers(MUSTER_ALL_GATHER, MUSTER_BF16, MUSTER_REDOP_NONE, 64), IsEmpty());
  EXPECT_EQ(answer.takers(MUSTER_ALL_REDUCE, MUSTER_BF16, MUSTER_SUM, 64).size(), 1u);
}

TEST_F(PeerOffer, GivenARankThatBuildsWithTheGroupThenNothingNeedsToBeReadyThere) {
  Described group(4, 4, 'N');
  group.ranks[2].erase("variants.sm_90.4");
  EXPECT_THAT(ask(group).rules, IsEmpty());
  group.ranks[2]["builds"] = "nvrtc-13.0";
  const Answer answer = ask(group);
  EXPECT_THAT(answer.reasons, IsEmpty());
  EXPECT_EQ(answer.takers(MUSTER_ALL_REDUCE, MUSTER_BF16, MUSTER_SUM, 64).size(), 1u);
}

TEST_F(PeerOffer, GivenAnArchitectureThenEveryProgramOfEverySizeIsAVariantAndNeedsNoDevice) {
  const auto* const table = static_cast<const muster_variants*>(
      muster_plugin_entry.get_interface(instance_, MUSTER_VARIANTS_INTERFACE));
  ASSERT_NE(table, nullptr);
  std::set<std::string> keys;
  const muster_variant_sink sink{MUSTER_VARIANT_SINK_SIZE, 0, &keys,
                                 [](void* context, const muster_variant* variant) {
                                   const muster_kernel_key& key = variant->key;
                                   static_cast<std::set<std::string>*>(context)->insert(
                                       std::string(key.architecture) + key.algorithm +
                                       std::to_string(key.dtype) + std::to_string(key.world_size));
                                 }};
  EXPECT_EQ(table->list(instance_, "sm_90", &sink), nullptr);
  EXPECT_EQ(keys.size(), 7u * 4u);
  EXPECT_EQ(keys.count("sm_90moves08"), 1u);
}

TEST_F(PeerOffer, GivenVariantsOfOtherSizesAndArchitecturesThenTheyDoNotCount) {
  Described group(4, 4, 'N');
  group.ranks[0].erase("variants.sm_90.4");
  group.ranks[0]["variants.sm_100.4"] = "moves reductions.bf16";
  EXPECT_THAT(ask(group).rules, IsEmpty());
  EXPECT_EQ(ask(group).reasons.size(), 4u);
}

TEST_F(PeerOffer, GivenDevicesThatOthersDoNotSeeThenItSaysWhatToSet) {
  Described masked(2, 1, 'N');
  masked.ranks[1]["uuid.0"] = "another";
  EXPECT_THAT(only_reason(masked), HasSubstr("CUDA_VISIBLE_DEVICES"));
}

TEST_F(PeerOffer, GivenSeveralRanksOnADeviceThenTheyAreServed) {
  EXPECT_THAT(ask(Described(3, 1, '-')).reasons, IsEmpty());
}

TEST_F(PeerOffer, GivenAGroupTooSmallOrTooLargeThenItDeclines) {
  EXPECT_THAT(only_reason(Described(1, 1, 'N')), HasSubstr("2 to 8 ranks"));
  EXPECT_THAT(only_reason(Described(9, 9, 'N')), HasSubstr("2 to 8 ranks"));
}

}  // namespace
}  // namespace muster::cuda_peer

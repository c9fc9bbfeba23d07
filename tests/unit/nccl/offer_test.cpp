// What the plugin offers to described groups: a pure function of facts and options.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "muster/testing/fake_host.hpp"
#include "tests/unit/nccl/simulated_world.hpp"

namespace muster::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Facts = std::map<std::string, std::string>;

// Facts of one rank on a machine of two devices.
Facts facts_of(const std::string& version = "2.28.9", const std::string& capability = "9.0") {
  return {{"nccl.version", version},
          {"cuda.driver", "13.0"},
          {"cuda.device.0", "GPU-a " + capability + " NVIDIA H200"},
          {"cuda.device.1", "GPU-b " + capability + " NVIDIA H200"}};
}

struct Description {
  std::vector<Facts> facts;
  std::vector<muster_rank_place> places;
  Facts options = {
      {"windows", "true"}, {"min_ctas", "0"}, {"max_ctas", "0"}, {"float_min_max", "false"}};
  std::vector<muster_rule> rules;
  std::vector<std::string> declined;

  explicit Description(uint32_t ranks) {
    for (uint32_t rank = 0; rank < ranks; ++rank) {
      facts.push_back(facts_of());
      places.push_back({rank, rank / 2, rank, static_cast<int32_t>(rank % 2)});
    }
  }

  Description& offered() {
    FakeHost host;
    void* const file = dlopen(NCCL_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    EXPECT_NE(file, nullptr) << dlerror();
    const auto* const entry = static_cast<const muster_entry*>(dlsym(file, "muster_plugin_entry"));
    muster_instance* instance = nullptr;
    EXPECT_TRUE(FakeHost::take(entry->open(host.get(), &instance)).ok());
    const auto* const backend = static_cast<const muster_backend*>(
        entry->get_interface(instance, MUSTER_BACKEND_INTERFACE));
    muster_offer_query query{};
    query.struct_size = MUSTER_OFFER_QUERY_SIZE;
    query.size = static_cast<uint32_t>(places.size());
    query.group_name = "described";
    query.bootstrap = "local";
    query.places = places.data();
    query.context = this;
    query.fact = [](void* self, uint32_t rank, const char* key) {
      return find(static_cast<Description*>(self)->facts[rank], key);
    };
    query.option = [](void* self, const char* key) {
      return find(static_cast<Description*>(self)->options, key);
    };
    query.add_rule = [](void* self, const muster_rule* rule) {
      static_cast<Description*>(self)->rules.push_back(*rule);
    };
    query.decline = [](void* self, const char* reason) {
      static_cast<Description*>(self)->declined.emplace_back(reason);
    };
    EXPECT_TRUE(FakeHost::take(backend->offer(instance, &query)).ok());
    entry->close(instance);
    return *this;
  }

  static const char* find(const Facts& texts, const char* key) {
    const auto found = texts.find(key);
    return found == texts.end() ? nullptr : found->second.c_str();
  }

  // The strongest class of the rules that take it on a stream; -1: none does.
  int determinism_of(muster_op op, muster_dtype dtype, muster_redop redop) const {
    int found = -1;
    for (const muster_rule& rule : rules) {
      const bool takes = (rule.ops & MUSTER_BIT(op)) != 0 &&
                         (rule.dtypes & MUSTER_BIT(dtype)) != 0 &&
                         (rule.redops & MUSTER_BIT(redop)) != 0 &&
                         (rule.streams & MUSTER_BIT(MUSTER_STREAM_CUDA)) != 0;
      if (takes) found = std::max(found, static_cast<int>(rule.determinism));
    }
    return found;
  }
};

TEST(NcclOffer, GivenTwoRanksThenFloatSumsKeepTheirBitsAtAnySize) {
  const Description pair = Description(2).offered();
  for (const muster_op op : {MUSTER_ALL_REDUCE, MUSTER_REDUCE, MUSTER_REDUCE_SCATTER})
    EXPECT_EQ(pair.determinism_of(op, MUSTER_BF16, MUSTER_SUM), MUSTER_SIZE_INVARIANT);
}

TEST(NcclOffer, GivenMoreRanksThenOnlyWhatNcclKeepsIsPromised) {
  const Description four = Description(4).offered();
  EXPECT_EQ(four.determinism_of(MUSTER_ALL_REDUCE, MUSTER_F32, MUSTER_SUM), MUSTER_RUN_TO_RUN);
  EXPECT_EQ(four.determinism_of(MUSTER_ALL_REDUCE, MUSTER_I32, MUSTER_SUM), MUSTER_SIZE_INVARIANT);
  Description without(4);
  without.options["windows"] = "false";
  without.offered();
  EXPECT_EQ(without.determinism_of(MUSTER_ALL_REDUCE, MUSTER_F32, MUSTER_SUM),
            MUSTER_RANK_INVARIANT);
  EXPECT_EQ(without.determinism_of(MUSTER_REDUCE_SCATTER, MUSTER_F32, MUSTER_SUM),
            MUSTER_RUN_TO_RUN);
}

TEST(NcclOffer, GivenOtherVersionsThenBothAreNamed) {
  Description mixed(2);
  mixed.facts[1] = facts_of("2.18.5");
  EXPECT_THAT(mixed.offered().declined,
              ElementsAre(HasSubstr("rank 1 has NCCL 2.18.5, rank 0 2.28.9")));
  EXPECT_THAT(mixed.rules, IsEmpty());
}

TEST(NcclOffer, GivenARankWithoutNcclThenItIsNamedWithTheCause) {
  Description partial(2);
  partial.facts[1].erase("nccl.version");
  partial.facts[1]["nccl.missing"] = "libnccl.so.2 could not be opened";
  EXPECT_THAT(partial.offered().declined,
              ElementsAre("rank 1 has no NCCL: libnccl.so.2 could not be opened"));
}

TEST(NcclOffer, GivenTheSameDeviceOnTwoMachinesThenItIsNotTheSame) {
  EXPECT_FALSE(Description(4).offered().rules.empty());
  Description shared(4);
  for (muster_rank_place& place : shared.places) place.node = 0;
  EXPECT_THAT(shared.offered().declined,
              ElementsAre(HasSubstr("ranks 0 and 2 share device 0 (GPU-a)")));
}

TEST(NcclOffer, GivenOneRankThenThereIsNothingToDo) {
  EXPECT_THAT(Description(1).offered().declined, ElementsAre(HasSubstr("one rank")));
}

TEST(NcclOffer, GivenFp8ThenEveryRankMustBeAbleToReduceIt) {
  constexpr auto kOp = MUSTER_ALL_REDUCE;
  EXPECT_EQ(Description(2).offered().determinism_of(kOp, MUSTER_F8E4M3, MUSTER_SUM),
            MUSTER_RUN_TO_RUN);
  Description old(2);
  old.facts = {facts_of("2.23.4"), facts_of("2.23.4")};
  EXPECT_EQ(old.offered().determinism_of(kOp, MUSTER_F8E4M3, MUSTER_SUM), -1);
  Description mixed(2);
  mixed.facts[1] = facts_of("2.28.9", "8.0");
  EXPECT_EQ(mixed.offered().determinism_of(kOp, MUSTER_F8E4M3, MUSTER_SUM), -1);
}

TEST(NcclOffer, GivenADeviceThatCannotReduceFp8ThenItsRankIsNamed) {
  Description mixed(2);
  mixed.facts[1] = facts_of("2.28.9", "8.0");
  EXPECT_THAT(mixed.offered().declined,
              Contains("reductions of fp8: rank 1 has 8.0 NVIDIA H200, they need compute "
                       "capability 9.0"));
}

TEST(NcclOffer, GivenAnOldVersionThenWhatItLacksIsSaidAndMessagesServe) {
  const auto rule_of = [](const Description& group, muster_op op) {
    for (const muster_rule& rule : group.rules) {
      if ((rule.ops & MUSTER_BIT(op)) != 0) return std::string(rule.name);
    }
    return std::string();
  };
  const Description recent = Description(2).offered();
  EXPECT_EQ(rule_of(recent, MUSTER_ALL_TO_ALL), "exchange");
  EXPECT_EQ(rule_of(recent, MUSTER_GATHER), "move");
  Description old(2);
  old.facts = {facts_of("2.18.5"), facts_of("2.18.5")};
  old.offered();
  for (const muster_op op : {MUSTER_ALL_TO_ALL, MUSTER_GATHER, MUSTER_SCATTER})
    EXPECT_EQ(rule_of(old, op), "messages");
  EXPECT_THAT(old.declined, Contains(HasSubstr("NCCL 2.18.5 lacks them, 2.28 is the first")));
  EXPECT_THAT(old.declined, Contains(HasSubstr("NCCL 2.18.5 has none, 2.24 is the first")));
  EXPECT_THAT(old.declined, Contains(HasSubstr("lacks ncclCommWindowRegister")));  // asked for
}

TEST(NcclOffer, GivenFloatsThenMinAndMaxAreOfferedOnRequestOnly) {
  Description pair(2);
  EXPECT_EQ(pair.offered().determinism_of(MUSTER_ALL_REDUCE, MUSTER_F32, MUSTER_MAX), -1);
  Description asked(2);
  asked.options["float_min_max"] = "true";
  EXPECT_EQ(asked.offered().determinism_of(MUSTER_ALL_REDUCE, MUSTER_F32, MUSTER_MAX),
            MUSTER_RUN_TO_RUN);
}

}  // namespace
}  // namespace muster::testing

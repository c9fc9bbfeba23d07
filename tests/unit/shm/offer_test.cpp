// What the backend offers, and for whom.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/names.hpp"
#include "tests/unit/shm/test_host.hpp"

namespace muster::shm_test {
namespace {

struct Answer {
  std::vector<muster_rule> rules;
  std::vector<std::string> reasons;

  // How many rules take a call of `bytes` bytes.
  int takers(muster_op op, muster_dtype dtype, muster_redop redop, uint64_t bytes) const {
    int count = 0;
    for (const muster_rule& rule : rules) {
      const bool any_size = rule.bytes_from == 0 && rule.bytes_to == 0;
      if ((rule.ops & MUSTER_BIT(op)) == 0) continue;
      if (dtype != MUSTER_DTYPE_NONE && (rule.dtypes & MUSTER_BIT(dtype)) == 0) continue;
      if (redop != MUSTER_REDOP_NONE && (rule.redops & MUSTER_BIT(redop)) == 0) continue;
      if (!any_size && (bytes < rule.bytes_from || bytes > rule.bytes_to)) continue;
      ++count;
    }
    return count;
  }
};

class Offer : public testing::Test {
 protected:
  Offer() {
    host_.now_ns = nullptr;
    EXPECT_EQ(muster_plugin_entry.open(&host_, &instance_), nullptr);
    backend_ = static_cast<const muster_backend*>(
        muster_plugin_entry.get_interface(instance_, MUSTER_BACKEND_INTERFACE));
  }
  ~Offer() override { muster_plugin_entry.close(instance_); }

  Answer ask(std::vector<uint32_t> nodes, uint32_t rank_without_facts = UINT32_MAX,
             const Options& options = {}) {
    struct Context {
      Answer answer;
      Options options;
      uint32_t rank_without_facts;
    } context{{}, with_defaults(options), rank_without_facts};
    std::vector<muster_rank_place> places;
    for (const uint32_t node : nodes) {
      const auto rank = static_cast<uint32_t>(places.size());
      places.push_back({rank, node, rank, -1});
    }
    muster_offer_query query{};
    query.struct_size = MUSTER_OFFER_QUERY_SIZE;
    query.size = static_cast<uint32_t>(nodes.size());
    query.group_name = "test";
    query.bootstrap = "local";
    query.places = places.data();
    query.context = &context;
    query.fact = [](void* c, uint32_t rank, const char*) {
      return static_cast<Context*>(c)->rank_without_facts == rank ? nullptr : "1";
    };
    query.option = [](void* c, const char* key) -> const char* {
      return static_cast<Context*>(c)->options.at(key).c_str();
    };
    query.add_rule = [](void* c, const muster_rule* rule) {
      static_cast<Context*>(c)->answer.rules.push_back(*rule);
    };
    query.decline = [](void* c, const char* reason) {
      static_cast<Context*>(c)->answer.reasons.push_back(reason);
    };
    EXPECT_EQ(backend_->offer(instance_, &query), nullptr);
    return context.answer;
  }

  muster_host host_{};
  muster_instance* instance_ = nullptr;
  const muster_backend* backend_ = nullptr;
};

// What is offered is what is done: a chunk is the most that one shot takes.
TEST_F(Offer, GivenAChunkSizeByProcessorThenOneShotEndsWithAChunk) {
  constexpr uint64_t kLargestChunk = 256 * 1024;  // processor.hpp
  const Answer answer = ask({0, 0}, UINT32_MAX, {{"one_shot_bytes", "1073741824"}});
  uint64_t one_shot = 0;
  for (const muster_rule& rule : answer.rules) {
    if ((rule.ops & MUSTER_BIT(MUSTER_ALL_REDUCE)) != 0 && rule.bytes_from == 0)
      one_shot = rule.bytes_to;
  }
  EXPECT_GT(one_shot, 0u);
  EXPECT_LE(one_shot, kLargestChunk);
}

TEST_F(Offer, GivenRanksOfOneNodeThenExactlyOneRuleTakesEveryCall) {
  const Answer answer = ask({0, 0, 0});
  EXPECT_TRUE(answer.reasons.empty());
  for (muster_op op = 1; op < MUSTER_OP_END; ++op) {
    for (muster_dtype dtype = 1; dtype < MUSTER_DTYPE_END; ++dtype) {
      for (const uint64_t bytes : {uint64_t{0}, uint64_t{16384}, uint64_t{16385}, UINT64_MAX}) {
        if (op == MUSTER_BARRIER) {
          EXPECT_EQ(answer.takers(op, MUSTER_DTYPE_NONE, MUSTER_REDOP_NONE, bytes), 1);
        } else if (!op_reduces(op)) {
          EXPECT_EQ(answer.takers(op, dtype, MUSTER_REDOP_NONE, bytes), 1) << op_name(op);
        } else {
          for (muster_redop redop = 1; redop < MUSTER_REDOP_END; ++redop) {
            const bool normed = redop == MUSTER_SUM && dtype >= MUSTER_F16 && dtype <= MUSTER_F32;
            const bool taken = op == MUSTER_FUSED_ALL_REDUCE_RMSNORM
                                   ? normed
                                   : dtype <= MUSTER_F64 && redop_applies(redop, dtype);
            EXPECT_EQ(answer.takers(op, dtype, redop, bytes), taken ? 1 : 0)
                << op_name(op) << ' ' << dtype_name(dtype) << ' ' << redop_name(redop);
          }
        }
      }
    }
  }
  for (const muster_rule& rule : answer.rules) {
    EXPECT_EQ(rule.determinism, uint32_t{MUSTER_SIZE_INVARIANT});
    EXPECT_EQ(rule.memory, MUSTER_BIT(MUSTER_HOST));
    EXPECT_EQ(rule.streams, MUSTER_BIT(MUSTER_STREAM_NONE));
    const uint64_t unsized_ops =
        MUSTER_BIT(MUSTER_GATHERV) | MUSTER_BIT(MUSTER_SCATTERV) | MUSTER_BIT(MUSTER_ALL_TO_ALLV);
    EXPECT_EQ((rule.flags & MUSTER_RULE_UNSIZED) != 0, (rule.ops & unsized_ops) != 0);
    EXPECT_EQ((rule.flags & MUSTER_RULE_QUANTISED) != 0,
              (rule.ops & MUSTER_BIT(MUSTER_FUSED_ALL_REDUCE_RMSNORM)) != 0);
  }
}

TEST_F(Offer, GivenOneShotIsSwitchedOffThenTwoShotTakesEverySize) {
  const Answer answer = ask({0, 0}, UINT32_MAX, {{"one_shot_bytes", "0"}});
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{1}, UINT64_MAX}) {
    EXPECT_EQ(answer.takers(MUSTER_ALL_REDUCE, MUSTER_F32, MUSTER_SUM, bytes), 1) << bytes;
  }
}

TEST_F(Offer, GivenRanksOfTwoNodesThenItDeclinesNamingOne) {
  const Answer answer = ask({0, 0, 1});
  EXPECT_TRUE(answer.rules.empty());
  EXPECT_EQ(answer.reasons, std::vector<std::string>{"rank 2 is on another node than rank 0"});
}

TEST_F(Offer, GivenAGroupOfOneThenItDeclines) {
  const Answer answer = ask({0});
  EXPECT_TRUE(answer.rules.empty());
  EXPECT_EQ(answer.reasons.size(), 1u);
}

TEST_F(Offer, GivenARankThatCannotShareMemoryThenItDeclinesNamingIt) {
  const Answer answer = ask({0, 0}, 1);
  EXPECT_TRUE(answer.rules.empty());
  EXPECT_EQ(answer.reasons, std::vector<std::string>{"rank 1 cannot share memory in the same way"});
}

TEST_F(Offer, GivenThisMachineThenProbeReportsTheLayout) {
  std::vector<std::string> facts;
  muster_fact_sink sink{
      MUSTER_FACT_SINK_SIZE, 0, &facts, [](void* context, const char* key, const char* value) {
        static_cast<std::vector<std::string>*>(context)->push_back(std::string(key) + "=" + value);
      }};
  EXPECT_EQ(backend_->probe(instance_, &sink), nullptr);
  EXPECT_EQ(facts, std::vector<std::string>{"layout=1"});
}

TEST_F(Offer, GivenTheEntryRecordThenItNamesThePluginAndItsInterface) {
  EXPECT_STREQ(muster_plugin_entry.id, "shm");
  EXPECT_STREQ(muster_plugin_entry.interfaces, MUSTER_BACKEND_INTERFACE);
  EXPECT_EQ(backend_->priority, 80);
  EXPECT_EQ(backend_->option_count, 12u);
  EXPECT_EQ(muster_plugin_entry.get_interface(instance_, "muster.other/1"), nullptr);
}

}  // namespace
}  // namespace muster::shm_test

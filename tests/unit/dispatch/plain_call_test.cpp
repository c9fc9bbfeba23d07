// Plain calls take a short path; muster_execute takes the long one. Whatever the operands, both
// must end alike: the same record in the same backend and the same counters, or the same refusal.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <tuple>

#include "core/base/names.hpp"
#include "tests/unit/dispatch/mocked_group.hpp"

namespace muster::testing {
namespace {

constexpr uint32_t kWorldSize = 3;
constexpr uint32_t kRank = 1;
constexpr muster_op kPlainOps[] = {MUSTER_ALL_REDUCE, MUSTER_REDUCE,     MUSTER_REDUCE_SCATTER,
                                   MUSTER_BROADCAST,  MUSTER_ALL_GATHER, MUSTER_GATHER,
                                   MUSTER_SCATTER,    MUSTER_ALL_TO_ALL, MUSTER_SEND,
                                   MUSTER_RECV,       MUSTER_SEND_RECV,  MUSTER_BARRIER};

// What came of a call: who got which record, or why nobody did.
struct Outcome {
  muster_code code = MUSTER_OK;
  std::string message;
  std::string backend;
  muster_call call{};
};

// Calls the function of the operation, with options when the call says more than operands.
muster_status* by_function(muster_group* group, const muster_call& c) {
  muster_call_options said{};
  said.struct_size = MUSTER_CALL_OPTIONS_SIZE;
  said.flags = c.flags;
  said.send_memory = c.send_memory;
  said.recv_memory = c.recv_memory;
  said.stream = c.stream;
  said.scalar = c.scalar;
  const bool says = (c.flags | c.stream.kind | c.stream.device | c.stream.handle) != 0 ||
                    c.scalar != nullptr || c.send_memory != MUSTER_MEMORY_DEFAULT;
  const muster_call_options* const options = says ? &said : nullptr;
  switch (c.op) {
    case MUSTER_ALL_REDUCE:
      return muster_all_reduce(group, c.send, c.recv, c.count, c.dtype, c.redop, options);
    case MUSTER_REDUCE:
      return muster_reduce(group, c.send, c.recv, c.count, c.dtype, c.redop, c.root, options);
    case MUSTER_REDUCE_SCATTER:
      return muster_reduce_scatter(group, c.send, c.recv, c.count, c.dtype, c.redop, options);
    case MUSTER_BROADCAST:
      return muster_broadcast(group, c.send, c.recv, c.count, c.dtype, c.root, options);
    case MUSTER_ALL_GATHER:
      return muster_all_gather(group, c.send, c.recv, c.count, c.dtype, options);
    case MUSTER_GATHER:
      return muster_gather(group, c.send, c.recv, c.count, c.dtype, c.root, options);
    case MUSTER_SCATTER:
      return muster_scatter(group, c.send, c.recv, c.count, c.dtype, c.root, options);
    case MUSTER_ALL_TO_ALL:
      return muster_all_to_all(group, c.send, c.recv, c.count, c.dtype, options);
    case MUSTER_SEND:
      return muster_send(group, c.send, c.count, c.dtype, c.peer, options);
    case MUSTER_RECV:
      return muster_recv(group, c.recv, c.count, c.dtype, c.peer, options);
    case MUSTER_SEND_RECV:
      return muster_send_recv(group, c.send, c.count, c.peer, c.recv, c.recv_count, c.recv_peer,
                              c.dtype, options);
    default:
      return muster_barrier(group);
  }
}

// Operands as programs give them, and every mistake now and then.
class RandomCalls {
 public:
  explicit RandomCalls(uint32_t seed) : random_(seed) {}

  muster_call next() {
    muster_call call = muster_call_init(pick(kPlainOps), MUSTER_DTYPE_NONE);
    if (call.op == MUSTER_BARRIER) return call;
    call.dtype = one_in(12) ? below(40) : 1 + below(MUSTER_DTYPE_END - 1);
    if (op_reduces(call.op)) call.redop = one_in(12) ? below(40) : 1 + below(MUSTER_REDOP_END - 1);
    call.count = count();
    char* const base = memory_ + 64 * below(2);
    call.send = one_in(12) ? nullptr : base;
    call.recv = one_in(12) ? nullptr : memory_ + 4096;
    const uint64_t part = call.count * dtype_size(call.dtype);
    if (one_in(2) && call.count < 100) {  // in place, by one layout or the other
      call.recv = base;
      if (one_in(2)) call.send = base + kRank * part;
      if (one_in(4)) call = with(call, base, base + kRank * part);
    }
    if (one_in(3)) give_options(call);
    if (call.op == MUSTER_SEND) call.recv = nullptr;
    if (call.op == MUSTER_RECV) call.send = nullptr;
    if (op_is_rooted(call.op)) call.root = below(kWorldSize + 1);
    if (op_is_point_to_point(call.op)) call.peer = below(kWorldSize + 1);
    if (call.op == MUSTER_SEND_RECV) {
      call.recv_peer = below(kWorldSize + 1);
      call.recv_count = count();
    }
    return call;
  }

 private:
  void give_options(muster_call& call) {
    if (!one_in(3)) call.stream = {below(MUSTER_STREAM_KIND_END + 1), below(2), below(3)};
    if (one_in(2)) call.flags = below(8);
    if (one_in(12)) call.send_memory = call.recv_memory = MUSTER_HOST;
    if (one_in(12)) call.scalar = memory_;
  }
  static muster_call with(muster_call call, const void* send, void* recv) {
    call.send = send;
    call.recv = recv;
    return call;
  }
  uint32_t below(uint32_t end) { return static_cast<uint32_t>(random_() % end); }
  bool one_in(uint32_t n) { return below(n) == 0; }
  muster_op pick(const muster_op (&ops)[12]) { return ops[below(12)]; }
  uint64_t count() {
    static constexpr uint64_t kCounts[] = {
        0,         1, 2, 7, 63, 64, 65, 99, 512, 513, (1u << 28) - 1, 1u << 28, UINT64_MAX >> 3,
        UINT64_MAX};
    return kCounts[below(std::size(kCounts))];
  }

  std::mt19937 random_;
  alignas(64) char memory_[8192] = {};
};

std::string text_of(const muster_call& c) {
  return fmt::format(
      "{} {} {} count {} root {} peer {} {} flags {} stream {} {} selection {} send {} recv {}",
      op_name(c.op), c.dtype, c.redop, c.count, c.root, c.peer, c.recv_peer, c.flags, c.stream.kind,
      c.stream.handle, c.selection_bytes, c.send, c.recv);
}

using Counters = std::map<std::tuple<muster_op, std::string>, std::pair<uint64_t, uint64_t>>;
Counters counters_of(api::Group& group) {
  Counters counters;
  group.counters(
      [](void* context, muster_op op, const char* backend, uint64_t calls, uint64_t bytes) {
        (*static_cast<Counters*>(context))[{op, backend}] = {calls, bytes};
      },
      &counters);
  return counters;
}

// Three backends: one takes multiples of 64 bytes, and symmetric calls on a stream; one small calls
// out of place, without a stream; one the rest, but not on every kind of stream.
class PlainCall : public ::testing::Test {
 protected:
  PlainCall() {
    for (MockBackend* mock : {&multiples_, &small_, &rest_}) {
      ON_CALL(*mock, execute)
          .WillByDefault([this, mock](MockGroup& group, const muster_call& call) {
            if (group.rank() != kRank) return;
            seen_.backend = mock == &multiples_ ? "multiples" : mock == &small_ ? "small" : "rest";
            seen_.call = call;
          });
    }
    muster_rule multiple = MockBackend::everything();
    multiple.ops = MUSTER_BIT(MUSTER_ALL_REDUCE) | MUSTER_BIT(MUSTER_ALL_TO_ALL);
    multiple.bytes_multiple = 64;
    multiple.flags = 0;
    muster_rule symmetric = MockBackend::everything();
    symmetric.ops = MUSTER_BIT(MUSTER_ALL_GATHER) | MUSTER_BIT(MUSTER_BROADCAST);
    symmetric.flags = MUSTER_RULE_SYMMETRIC;
    symmetric.streams = MUSTER_BIT(MUSTER_STREAM_CUDA);
    offers(multiples_, multiple, symmetric);
    muster_rule small = MockBackend::everything();
    small.ops &=
        ~(MUSTER_BIT(MUSTER_REDUCE) | MUSTER_BIT(MUSTER_BROADCAST) | MUSTER_BIT(MUSTER_GATHER) |
          MUSTER_BIT(MUSTER_SCATTER) | MUSTER_BIT(MUSTER_SEND) | MUSTER_BIT(MUSTER_RECV) |
          MUSTER_BIT(MUSTER_SEND_RECV) | MUSTER_BIT(MUSTER_BARRIER));
    small.place = MUSTER_PLACE_OUT;
    small.bytes_from = 2;
    small.bytes_to = 512;
    small.flags = 0;
    small.streams = MUSTER_BIT(MUSTER_STREAM_NONE);
    offers(small_, small);
    muster_rule rest = MockBackend::everything();
    rest.phases = MUSTER_BIT(MUSTER_PHASE_END) - 1;
    rest.streams = MUSTER_BIT(MUSTER_STREAM_NONE) | MUSTER_BIT(MUSTER_STREAM_CUDA);
    offers(rest_, rest);
  }

  template <typename... Rules>
  static void offers(MockBackend& mock, const Rules&... rules) {
    ON_CALL(mock, offer).WillByDefault([rules...](plugin::Query query) {
      (query.add(rules), ...);
    });
  }

  Outcome outcome_of(muster_status* status) {
    Outcome outcome = seen_;
    if (status != nullptr) {
      outcome.code = muster_status_code(status);
      outcome.message = muster_status_message(status);
      muster_status_release(status);
    }
    seen_ = {};
    return outcome;
  }

  void with_three_ranks(const std::function<void(api::Group&)>& body) {
    World(kWorldSize)
        .with(multiples_)
        .with(small_)
        .with(rest_)
        .run([&](api::Runtime& runtime, uint32_t rank) {
          api::Group group(runtime);
          if (rank == kRank) body(group);
        });
  }

  IdleBackend multiples_{"multiples", 90};
  IdleBackend small_{"small", 80};
  IdleBackend rest_{"rest", 10};
  Outcome seen_;
};

TEST_F(PlainCall, GivenAnyOperandsThenItEndsAsTheLongPathDoes) {
  with_three_ranks([this](api::Group& group) {
    RandomCalls calls(7);
    int served = 0;
    int refused = 0;
    for (int i = 0; i < 20000; ++i) {
      const muster_call call = calls.next();
      const Outcome shorter = outcome_of(by_function(group.get(), call));
      const Outcome longer = outcome_of(muster_execute(group.get(), &call));
      (longer.code == MUSTER_OK ? served : refused) += 1;
      ASSERT_EQ(shorter.code, longer.code) << text_of(call) << ": " << shorter.message;
      ASSERT_EQ(shorter.message, longer.message);
      ASSERT_EQ(shorter.backend, longer.backend) << text_of(call);
      ASSERT_EQ(0, std::memcmp(&shorter.call, &longer.call, sizeof(muster_call)))
          << text_of(call) << "\nshort: " << text_of(shorter.call)
          << "\nlong:  " << text_of(longer.call);
    }
    EXPECT_GT(served, 1000);
    EXPECT_GT(refused, 1000);
  });
}

TEST_F(PlainCall, GivenAnyOperandsThenTheCountersGrowAsOnTheLongPath) {
  with_three_ranks([this](api::Group& group) {
    RandomCalls calls(11);
    for (int i = 0; i < 2000; ++i) {
      const muster_call call = calls.next();
      const Counters before = counters_of(group);
      muster_status_release(by_function(group.get(), call));
      const Counters between = counters_of(group);
      muster_status_release(muster_execute(group.get(), &call));
      Counters after = counters_of(group);
      for (auto& [key, value] : after) {
        const auto grown = [&key = key](const Counters& from, const Counters& to) {
          const auto a = from.find(key);
          const auto b = to.find(key);
          const std::pair<uint64_t, uint64_t> none;
          const auto& x = a == from.end() ? none : a->second;
          const auto& y = b == to.end() ? none : b->second;
          return std::make_pair(y.first - x.first, y.second - x.second);
        };
        ASSERT_EQ(grown(before, between), grown(between, after)) << text_of(call);
      }
    }
  });
}

TEST_F(PlainCall, GivenAGraphPhaseThenItsRecordsSayIt) {
  with_three_ranks([this](api::Group& group) {
    int data[4] = {};
    const auto phase_of = [&] {
      return outcome_of(
                 muster_all_reduce(group.get(), data, data + 2, 2, MUSTER_I32, MUSTER_SUM, nullptr))
          .call.phase;
    };
    EXPECT_EQ(phase_of(), uint32_t{MUSTER_EAGER});
    muster_status_release(muster_graph_begin(group.get(), MUSTER_GRAPH_PIECEWISE));
    EXPECT_EQ(phase_of(), uint32_t{MUSTER_GRAPH_PIECEWISE});
  });
}

TEST_F(PlainCall, GivenACallWithOptionsBeforeThenThePlainOneKnowsNothingOfThem) {
  with_three_ranks([this](api::Group& group) {
    int data[4] = {};
    muster_call_options options{};
    options.struct_size = MUSTER_CALL_OPTIONS_SIZE;
    options.flags = MUSTER_CALL_SYMMETRIC;
    const auto call_with = [&](const muster_call_options* o) {
      return outcome_of(
                 muster_all_reduce(group.get(), data, data + 2, 2, MUSTER_I32, MUSTER_SUM, o))
          .call;
    };
    EXPECT_EQ(call_with(&options).flags, uint32_t{MUSTER_CALL_SYMMETRIC});
    EXPECT_EQ(call_with(nullptr).flags, 0u);
    options.stream = {MUSTER_STREAM_CUDA, 0, 64};
    options.flags = 0;
    EXPECT_EQ(call_with(&options).stream.handle, 64u);
    EXPECT_EQ(call_with(&options).flags, 0u);
    EXPECT_EQ(call_with(nullptr).stream.kind, uint32_t{MUSTER_STREAM_NONE});
  });
}

TEST_F(PlainCall, GivenAFailureInsideThenTheGroupIsBrokenAsEver) {
  ON_CALL(rest_, execute).WillByDefault([](MockGroup& group, const muster_call&) {
    if (group.rank() == kRank) throw plugin::Failure(MUSTER_DATA_LOSS, "the wire is cut");
  });
  with_three_ranks([this](api::Group& group) {
    CapturedLog log;
    const Outcome first = outcome_of(muster_barrier(group.get()));
    EXPECT_EQ(first.code, uint32_t{MUSTER_DATA_LOSS});
    EXPECT_THAT(first.message, ::testing::HasSubstr("the wire is cut"));
    EXPECT_THAT(first.message, ::testing::HasSubstr("barrier on group"));
    EXPECT_EQ(outcome_of(muster_barrier(group.get())).code, uint32_t{MUSTER_FAILED_PRECONDITION});
  });
}

}  // namespace
}  // namespace muster::testing

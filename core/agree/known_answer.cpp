#include "core/agree/known_answer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "core/agree/test_values.hpp"
#include "core/base/units.hpp"
#include "core/base/wait.hpp"
#include "core/chain/match.hpp"
#include "core/dispatch/prepare.hpp"

namespace muster {
namespace {

constexpr uint64_t kSmallCount = 5;
constexpr uint64_t kLargestEdge =
    4u << 20;  // bytes per rank; larger lower edges are named as untested

// One call with a known answer.
struct Question {
  CellKey key;
  uint64_t count;
};

std::string describe(const Question& question) {
  std::string text = op_name(question.key.op);
  if (question.key.op != MUSTER_BARRIER) text += fmt::format(" {}", dtype_name(question.key.dtype));
  if (op_reduces(question.key.op)) text += fmt::format(" {}", redop_name(question.key.redop));
  return text + fmt::format(" count {}", question.count);
}

// What rank r has at index i: small, so that every result is exact in every dtype.
int64_t value_of(uint32_t rank, uint64_t index, muster_redop redop) {
  if (redop == MUSTER_PROD) return 1 + static_cast<int64_t>((rank + index) % 2);
  return 1 + static_cast<int64_t>((3 * rank + index) % 3);
}

// Whether the expected value can be told exactly: products and sums of many ranks leave the small
// floats.
bool is_exact(const CellKey& key, uint32_t size) {
  if (key.dtype == MUSTER_BOOL &&
      (key.redop == MUSTER_SUM || key.redop == MUSTER_PROD || key.redop == MUSTER_AVG)) {
    return false;
  }
  if (is_integer(key.dtype)) return true;
  if (key.redop == MUSTER_PROD) return size <= 6;
  return size <= 80;
}

class Tester {
 public:
  Tester(muster_group& group, const LiveBackend& backend) : group_(group), backend_(backend) {}

  // "" when the answer was right.
  std::string ask(const Question& question) {
    muster_call call{};
    call.struct_size = MUSTER_CALL_SIZE;
    call.op = question.key.op;
    call.dtype = question.key.dtype;
    call.redop = question.key.redop;
    call.count = question.count;
    call.send_memory = call.recv_memory = MUSTER_HOST;
    const uint32_t n = group_.size;
    const uint64_t element = dtype_size(call.dtype);
    const uint64_t whole = question.count * n;
    send_.assign(whole * element, '\x5a');
    recv_.assign(whole * element, '\x5a');
    call.send = send_.data();
    call.recv = recv_.data();
    std::vector<uint64_t> counts(n, question.count);
    call.send_counts = call.recv_counts = counts.data();
    call.peer = (group_.rank + 1) % n;
    call.recv_peer = (group_.rank + n - 1) % n;
    call.recv_count = question.count;
    for (uint64_t i = 0; i < whole && element != 0; ++i) {
      store_value(call.dtype, send_.data(), i, value_of(group_.rank, i, call.redop));
    }
    call.selection_bytes = question.count * element;
    group_.context.operation += 1;
    if (const Status status(backend_.table->execute(backend_.state, &call)); !status.ok()) {
      return describe(question) + ": " + status.cause();
    }
    return compare(question);
  }

 private:
  std::string compare(const Question& question) const {
    const CellKey& key = question.key;
    const uint32_t n = group_.size;
    const uint64_t count = question.count;
    uint64_t results = 0;  // elements written here
    switch (key.op) {
      case MUSTER_ALL_REDUCE:
      case MUSTER_BROADCAST:
      case MUSTER_REDUCE_SCATTER:
      case MUSTER_REDUCE_SCATTERV:
      case MUSTER_SCATTER:
      case MUSTER_SCATTERV:
      case MUSTER_SEND_RECV:
        results = count;
        break;
      case MUSTER_REDUCE:
        results = group_.rank == 0 ? count : 0;
        break;
      case MUSTER_GATHER:
      case MUSTER_GATHERV:
        results = group_.rank == 0 ? count * n : 0;
        break;
      case MUSTER_BARRIER:
        return {};
      default:
        results = count * n;
        break;
    }
    for (uint64_t i = 0; i < results; ++i) {
      const double expected = expect(key, count, i);
      const double got = load_value(key.dtype, recv_.data(), i);
      const double tolerance =
          key.redop == MUSTER_AVG && !is_integer(key.dtype) ? std::abs(expected) / 64 : 0;
      if (std::isnan(got) || std::abs(got - expected) > tolerance) {
        return fmt::format("{}: element {} is {}, {} is right", describe(question), i, got,
                           expected);
      }
    }
    return {};
  }

  double expect(const CellKey& key, uint64_t count, uint64_t i) const {
    const uint32_t n = group_.size;
    const uint64_t mine = group_.rank * count;
    const auto moved = [&](uint32_t from, uint64_t index) {
      unsigned char element[8];
      store_value(key.dtype, element, 0, value_of(from, index, key.redop));
      return load_value(key.dtype, element, 0);
    };
    const auto reduced = [&](uint64_t index) {
      std::vector<int64_t> values(n);
      for (uint32_t r = 0; r < n; ++r) values[r] = value_of(r, index, key.redop);
      return combine_values(key.dtype, key.redop, values.data(), n);
    };
    const uint32_t from = static_cast<uint32_t>(i / std::max<uint64_t>(count, 1));
    switch (key.op) {
      case MUSTER_ALL_REDUCE:
      case MUSTER_REDUCE:
        return reduced(i);
      case MUSTER_REDUCE_SCATTER:
      case MUSTER_REDUCE_SCATTERV:
        return reduced(mine + i);
      case MUSTER_BROADCAST:
        return moved(0, i);
      case MUSTER_SCATTER:
      case MUSTER_SCATTERV:
        return moved(0, mine + i);
      case MUSTER_SEND_RECV:
        return moved((group_.rank + n - 1) % n, i);
      case MUSTER_ALL_TO_ALL:
      case MUSTER_ALL_TO_ALLV:
        return moved(from, mine + i % count);
      default:
        return moved(from, i % count);  // the gathers
    }
  }

  muster_group& group_;
  const LiveBackend& backend_;
  std::vector<char> send_;
  std::vector<char> recv_;
};

// Every (operation, dtype, reduce operation) once at a small count, every rule once at its lower
// edge.
std::vector<Question> questions_for(const muster_group& group,
                                    const std::vector<muster_rule>& rules,
                                    std::vector<std::string>& unasked) {
  std::map<uint32_t, Question> small;
  std::vector<Question> edges;
  for (const muster_rule& rule : rules) {
    if ((rule.flags & MUSTER_RULE_SYMMETRIC) != 0 || rule.place == MUSTER_PLACE_IN) continue;
    bool edge_asked = rule_bytes_from(rule) == 0;
    for (muster_op op = MUSTER_ALL_REDUCE; op < MUSTER_OP_END; ++op) {
      if (op == MUSTER_FUSED_ALL_REDUCE_RMSNORM || op == MUSTER_SEND || op == MUSTER_RECV) continue;
      for (muster_dtype dtype = op == MUSTER_BARRIER ? 0 : 1; dtype < MUSTER_DTYPE_END; ++dtype) {
        if (op == MUSTER_BARRIER && dtype != 0) break;
        for (muster_redop redop = op_reduces(op) ? MUSTER_SUM : 0; redop < MUSTER_REDOP_END;
             ++redop) {
          if (!op_reduces(op) && redop != 0) break;
          if (op_reduces(op) && !redop_applies(redop, dtype)) continue;
          const CellKey key{MUSTER_HOST, kPhaseEager, op, dtype, redop};
          if (match_cell(rule, key, group.size, MUSTER_NONDETERMINISTIC) != Mismatch::kNone)
            continue;
          if (op_reduces(op) && !is_exact(key, group.size)) continue;
          const uint64_t element = std::max<uint64_t>(dtype_size(dtype), 1);
          const uint64_t multiple = std::max<uint64_t>(rule.bytes_multiple, 1);
          uint64_t count = kSmallCount;
          if (multiple > 1)
            count = (kSmallCount * element + multiple - 1) / multiple * multiple / element;
          if (op == MUSTER_BARRIER) count = 0;
          if (rule_bytes_from(rule) <= count * element && count * element <= rule_bytes_to(rule)) {
            small.try_emplace(cell_index(0, kPhaseEager, op, dtype, redop), Question{key, count});
          } else if (!edge_asked) {
            const uint64_t from = (rule_bytes_from(rule) + multiple - 1) / multiple * multiple;
            const uint64_t edge = (from + element - 1) / element;
            if (edge * element > rule_bytes_to(rule)) continue;
            if (edge * element > kLargestEdge) {
              unasked.push_back(fmt::format("rule {} from {} on", rule.name, format_bytes(from)));
            } else {
              edges.push_back({key, edge});
            }
            edge_asked = true;
          }
        }
      }
    }
  }
  std::vector<Question> questions;
  for (const auto& [cell, question] : small) questions.push_back(question);
  questions.insert(questions.end(), edges.begin(), edges.end());
  return questions;
}

}  // namespace

Result<KnownAnswerResult> known_answer_test(muster_group& group, const LiveBackend& backend,
                                            const std::vector<muster_rule>& rules,
                                            Exchange& exchange, uint64_t budget_ns) {
  KnownAnswerResult result;
  std::vector<std::string> unasked;
  const std::vector<Question> questions = questions_for(group, rules, unasked);
  Tester tester(group, backend);
  const uint64_t start = now_ns();
  size_t next = 0;
  size_t slice = 16;
  std::string wrong;
  while (next < questions.size()) {
    const size_t end = std::min(questions.size(), next + slice);
    for (; next < end; ++next) {
      // After a failure a rank still takes part in the slice, so that the others do not wait for
      // it.
      const std::string answer = tester.ask(questions[next]);
      if (wrong.empty()) wrong = answer;
    }
    slice *= 2;
    const uint64_t state[] = {wrong.empty() ? uint64_t{0} : uint64_t{1}, now_ns() - start};
    Result<std::vector<uint64_t>> worst = exchange.largest(state);
    if (!worst.ok()) return worst.take_status();
    if ((*worst)[0] != 0 || (*worst)[1] > budget_ns) break;
  }
  const std::vector<std::string> causes = {wrong};
  Result<std::vector<std::string>> vote = exchange.vote(causes);
  if (!vote.ok()) return vote.take_status();
  result.failure = vote->front();
  result.tested = next;
  result.untested = questions.size() - next + unasked.size();
  if (next < questions.size()) {
    result.first_untested = describe(questions[next]);
  } else if (!unasked.empty()) {
    result.first_untested = unasked.front();
  }
  return result;
}

}  // namespace muster

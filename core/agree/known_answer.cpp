#include "core/agree/known_answer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>
#include <set>

#include "core/agree/exercise.hpp"
#include "core/agree/test_device.hpp"
#include "core/base/digest.hpp"
#include "core/base/units.hpp"
#include "core/base/wait.hpp"
#include "core/chain/match.hpp"
#include "core/kernels/registry.hpp"

namespace muster {
namespace {

constexpr size_t kFirstSlice = 16;  // as many as there are operations, about
constexpr uint64_t kSmallCount = 5;
constexpr uint64_t kSmallFused = 2 * FusedExercise::kHidden;  // two rows
constexpr uint64_t kBatchBytes = 32u << 20;  // of questions asked together on a device
constexpr uint64_t kLargestEdge =
    4u << 20;  // bytes per rank; larger lower edges are named as untested

// One call with a known answer.
struct Question {
  CellKey key;
  uint64_t count;
  bool quantised = false;
  bool on_stream = false;  // of the device that the memory is of

  Exercise exercise(const muster_group& group) const {
    return {key.op, key.dtype, key.redop, count, group.rank, group.size, quantised};
  }
};

// The devices that questions need, by kind of memory.
using TestDevices = std::map<muster_memory, std::unique_ptr<TestDevice>>;

// "" when what arrived is right.
std::string judged(const Exercise& exercise, const Status& status) {
  if (!status.ok()) return exercise.describe() + ": " + status.cause();
  const Exercise::Wrong wrong = exercise.check();
  if (wrong.count == 0) return {};
  return fmt::format("{}: {} elements wrong, the first is {}: {} instead of {}",
                     exercise.describe(), wrong.count, wrong.first, wrong.got, wrong.right);
}

// "" when the answer was right.
std::string ask_host(muster_group& group, const LiveBackend& backend, const Question& question) {
  Exercise exercise = question.exercise(group);
  exercise.fill(0);
  group.context.begin_operation();
  return judged(exercise, Status(backend.table->execute(backend.state, &exercise.call())));
}

// Asks as many questions from the first one on as are about its kind of device and have room
// together. "" when all answers were right.
std::string ask_device(muster_group& group, const LiveBackend& backend, const Question*& first,
                       const Question* end, TestDevice& device) {
  std::vector<TestDevice::Item> items;
  uint64_t bytes = 0;
  const muster_memory memory = first->key.memory;
  for (; first != end && first->key.memory == memory; ++first) {
    TestDevice::Item item{first->exercise(group), first->on_stream};
    bytes += TestDevice::bytes_for(item.exercise);
    if (bytes > kBatchBytes && !items.empty()) break;
    items.push_back(std::move(item));
  }
  if (const Status status = device.run(group, backend, items); !status.ok()) {
    const std::string from = items.front().exercise.describe();
    return items.size() == 1 ? fmt::format("{}: {}", from, status.cause())
                             : fmt::format("one of {} calls, {} to {}: {}", items.size(), from,
                                           items.back().exercise.describe(), status.cause());
  }
  for (const TestDevice::Item& item : items) {
    if (std::string answer = judged(item.exercise, item.status); !answer.empty()) return answer;
  }
  return {};
}

// Asks the questions of one slice; the first wrong answer, "" when there is none. A rank goes on
// after a failure, so that the others do not wait for it.
std::string ask_slice(muster_group& group, const LiveBackend& backend, const Question* first,
                      const Question* end, const TestDevices& devices) {
  std::string wrong;
  while (first != end) {
    const std::string answer =
        first->key.memory == MUSTER_HOST
            ? ask_host(group, backend, *first++)
            : ask_device(group, backend, first, end, *devices.at(first->key.memory));
    if (wrong.empty()) wrong = answer;
  }
  return wrong;
}

std::string describe(const muster_group& group, const Question& question) {
  return question.exercise(group).describe();
}

uint64_t rounded_up(uint64_t bytes, uint64_t multiple) {
  return (bytes + multiple - 1) / multiple * multiple;
}

// The kinds of memory on which a rule is asked, as bits; what this world has no device for is
// named.
uint64_t memory_to_ask(const muster_rule& rule, uint64_t known, std::vector<std::string>& unasked) {
  const uint64_t offered = rule.memory == 0 ? MUSTER_BIT(MUSTER_HOST) : rule.memory;
  const uint64_t unknown = offered & ~(known | MUSTER_BIT(MUSTER_HOST));
  for (muster_memory memory = MUSTER_HOST; memory < MUSTER_MEMORY_END; ++memory) {
    if ((unknown & MUSTER_BIT(memory)) == 0) continue;
    unasked.push_back(fmt::format("rule {} on {} memory, of which not every rank has a device",
                                  rule.name, memory_name(memory)));
  }
  return offered & ~unknown;
}

// What matters most first, since time may not suffice (a device's library connects in its first
// calls): every operation once, with the values that it mostly has; then the edges; then the rest,
// the operations in turns.
std::vector<Question> in_order(const std::vector<Question>& cells,
                               const std::vector<Question>& edges) {
  const auto is_usual = [](const Question& question) {
    const bool usual_dtype = question.key.dtype == MUSTER_BF16 || question.key.dtype == MUSTER_F32;
    return usual_dtype && (question.key.redop == MUSTER_SUM || !op_reduces(question.key.op));
  };
  std::map<std::pair<muster_memory, muster_op>, std::vector<Question>> by_operation;
  for (const Question& question : cells)
    by_operation[{question.key.memory, question.key.op}].push_back(question);
  size_t rounds = 0;
  for (auto& [operation, questions] : by_operation) {
    std::stable_partition(questions.begin(), questions.end(), is_usual);
    rounds = std::max(rounds, questions.size());
  }
  std::vector<Question> ordered;
  for (size_t round = 0; round < rounds; ++round) {
    for (const auto& [operation, questions] : by_operation) {
      if (round < questions.size()) ordered.push_back(questions[round]);
    }
    if (round == 0) ordered.insert(ordered.end(), edges.begin(), edges.end());
  }
  if (rounds == 0) ordered = edges;
  return ordered;
}

// Every (memory, operation, dtype, reduce operation) once at a small count, every rule once at its
// lower edge. known: the kinds of device memory that every rank knows.
std::vector<Question> questions_for(const muster_group& group,
                                    const std::vector<muster_rule>& rules, uint64_t known,
                                    std::vector<std::string>& unasked) {
  std::map<std::pair<uint32_t, bool>, Question> small;  // by cell, quantised or not
  std::vector<Question> edges;
  const auto ask_of = [&](const muster_rule& rule, muster_memory memory) {
    const uint64_t streams = rule.streams == 0 ? MUSTER_BIT(MUSTER_STREAM_NONE) : rule.streams;
    const bool on_stream =
        memory != MUSTER_HOST && (streams & MUSTER_BIT(stream_kind_of(memory))) != 0;
    if (!on_stream && (streams & MUSTER_BIT(MUSTER_STREAM_NONE)) == 0) return;
    bool edge_asked = rule_bytes_from(rule) == 0;
    for (muster_op op = MUSTER_ALL_REDUCE; op < MUSTER_OP_END; ++op) {
      if (op == MUSTER_SEND || op == MUSTER_RECV) continue;
      const bool fused = op == MUSTER_FUSED_ALL_REDUCE_RMSNORM;
      const bool quantises = fused && (rule.flags & MUSTER_RULE_QUANTISED) != 0;
      for (muster_dtype dtype = op == MUSTER_BARRIER ? 0 : 1; dtype < MUSTER_DTYPE_END; ++dtype) {
        if (op == MUSTER_BARRIER && dtype != 0) break;
        for (muster_redop redop = op_reduces(op) ? MUSTER_SUM : 0; redop < MUSTER_REDOP_END;
             ++redop) {
          if (!op_reduces(op) && redop != 0) break;
          if (op_reduces(op) && !redop_applies(redop, dtype)) continue;
          const CellKey key{memory, kPhaseEager, op, dtype, redop};
          if (match_cell(rule, key, group.size, MUSTER_NONDETERMINISTIC) != Mismatch::kNone)
            continue;
          if (!Exercise::is_exact(op, dtype, redop, group.size)) continue;
          if (fused && (redop != MUSTER_SUM || host_rmsnorm(dtype) == nullptr)) continue;
          // Rules are about selection bytes, which of some operations are those of all ranks.
          const uint64_t unit =
              std::max<uint64_t>(Exercise::selection_bytes(op, dtype, 1, group.size), 1);
          uint64_t multiple = std::lcm(std::max<uint64_t>(rule.bytes_multiple, 1), unit);
          if (fused) multiple = std::lcm(multiple, FusedExercise::kHidden * unit);
          const uint64_t bytes =
              op == MUSTER_BARRIER
                  ? 0
                  : rounded_up((fused ? kSmallFused : kSmallCount) * unit, multiple);
          const uint64_t count = bytes / unit;
          if (rule_bytes_from(rule) <= bytes && bytes <= rule_bytes_to(rule)) {
            const uint32_t cell = cell_index(memory, kPhaseEager, op, dtype, redop);
            small.try_emplace({cell, false}, Question{key, count, false, on_stream});
            if (quantises) small.try_emplace({cell, true}, Question{key, count, true, on_stream});
          } else if (!edge_asked) {
            const uint64_t from = rounded_up(rule_bytes_from(rule), multiple);
            const uint64_t edge = from / unit;
            if (from > rule_bytes_to(rule)) continue;
            if (from > kLargestEdge) {
              unasked.push_back(fmt::format("rule {} from {} on", rule.name, format_bytes(from)));
            } else {
              edges.push_back({key, edge, false, on_stream});
              if (quantises) edges.push_back({key, edge, true, on_stream});
            }
            edge_asked = true;
          }
        }
      }
    }
  };
  for (const muster_rule& rule : rules) {
    if ((rule.flags & MUSTER_RULE_SYMMETRIC) != 0 || rule.place == MUSTER_PLACE_IN) continue;
    const uint64_t kinds = memory_to_ask(rule, known, unasked);
    for (muster_memory memory = MUSTER_HOST; memory < MUSTER_MEMORY_END; ++memory) {
      if ((kinds & MUSTER_BIT(memory)) != 0) ask_of(rule, memory);
    }
  }
  std::vector<Question> cells;
  for (const auto& [cell, question] : small) cells.push_back(question);
  return in_order(cells, edges);
}

// Takes what the questions need of devices. [local]
Result<TestDevices> take_devices(const muster_group& group,
                                 const std::vector<Question>& questions) {
  struct Bytes {
    uint64_t all = 0;
    uint64_t most = 0;
  };
  std::map<muster_memory, Bytes> bytes;
  for (const Question& question : questions) {
    if (question.key.memory == MUSTER_HOST) continue;
    Exercise exercise = question.exercise(group);
    const uint64_t own = TestDevice::bytes_for(exercise);
    auto& [all, most] = bytes[question.key.memory];
    all += own;
    most = std::max(most, own);
  }
  TestDevices devices;
  for (const auto& [memory, needed] : bytes) {
    const Device* const device = group.context.devices->find(memory);
    if (device == nullptr)  // the record of this rank says that it has one
      return Status(MUSTER_INTERNAL, fmt::format("no plugin knows {} memory", memory_name(memory)));
    Result<std::unique_ptr<TestDevice>> made = TestDevice::make(
        *device, group.context.device(), std::max(needed.most, std::min(needed.all, kBatchBytes)));
    if (!made.ok()) return made.take_status().within("the test's memory");
    devices[memory] = std::move(*made);
  }
  return devices;
}

// The answers of a device depend on it and its driver, which its facts tell.
std::string digest_of_facts(const FactMap& facts) {
  std::string text;
  for (const auto& [name, value] : facts) text += fmt::format("{}={}\n", name, value);
  return digest_of(text).short_text();
}

// What this process has seen pass: as PassedTests, and in-process entries and passes that were cut
// short besides.
class Passed {
 public:
  bool holds(const std::string& key) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return keys_.count(key) != 0;
  }
  void add(const std::string& key) {
    const std::lock_guard<std::mutex> lock(mutex_);
    keys_.insert(key);
  }

 private:
  std::mutex mutex_;
  std::set<std::string> keys_;
};

Passed& passed_before() {
  static Passed passed;
  return passed;
}

}  // namespace

Result<KnownAnswerResult> known_answer_test(muster_group& group, const LiveBackend& backend,
                                            const std::vector<muster_rule>& rules,
                                            uint64_t known_memory, const PassedTests& passed,
                                            Exchange& exchange, uint64_t budget_ns) {
  KnownAnswerResult result;
  const FoundPlugin& plugin = backend.plugin->found();
  const std::string key = passed.key(plugin, backend.host.options, rules, group.size) + " " +
                          digest_of_facts(backend.plugin->facts());
  const uint64_t unknown[] = {passed_before().holds(key) || passed.hold(plugin, key) ? uint64_t{0}
                                                                                     : uint64_t{1}};
  Result<std::vector<uint64_t>> somewhere = exchange.largest(unknown);
  if (!somewhere.ok()) return somewhere.take_status();
  result.cached = somewhere->front() == 0;
  if (result.cached) {
    passed_before().add(key);
    return result;
  }
  std::vector<std::string> unasked;
  const std::vector<Question> questions = questions_for(group, rules, known_memory, unasked);
  Result<TestDevices> devices = take_devices(group, questions);
  const bool on_devices =
      std::any_of(questions.begin(), questions.end(),
                  [](const Question& question) { return question.key.memory != MUSTER_HOST; });
  if (on_devices) {
    // No call before every rank has what it needs.
    const std::vector<std::string> faults = {devices.ok() ? "" : devices.status().cause()};
    Result<std::vector<std::string>> ready = exchange.vote(faults);
    if (!ready.ok()) return ready.take_status();
    result.failure = ready->front();
    if (!result.failure.empty()) return result;
  }
  uint64_t start = 0;
  size_t next = 0;
  size_t slice = kFirstSlice;
  std::string wrong;
  while (next < questions.size()) {
    const size_t end = std::min(questions.size(), next + slice);
    wrong = ask_slice(group, backend, &questions[next], questions.data() + end, *devices);
    // The first slice is not timed: in its first calls a device's library connects, for which the
    // program's first calls would wait otherwise.
    if (next == 0) start = now_ns();
    next = end;
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
  if (result.failure.empty()) {
    passed_before().add(key);
    if (next == questions.size()) passed.add(plugin, key);
  }
  result.tested = next;
  result.untested = questions.size() - next;
  if (result.untested != 0) result.first_untested = describe(group, questions[next]);
  result.unasked = unasked.size();
  if (result.unasked != 0) result.first_unasked = unasked.front();
  return result;
}

std::string KnownAnswerResult::text() const {
  if (cached) return "known answers, as before";
  std::string text = fmt::format("{} known answers", tested);
  if (untested != 0)
    text += fmt::format("; {} untested for lack of time, from {} on", untested, first_untested);
  if (unasked != 0) text += fmt::format("; {} not asked, the first is {}", unasked, first_unasked);
  return text;
}

}  // namespace muster

#include "core/agree/group_setup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <thread>

#include "core/agree/candidates.hpp"
#include "core/agree/exchange.hpp"
#include "core/agree/group_records.hpp"
#include "core/agree/known_answer.hpp"
#include "core/base/log.hpp"
#include "core/base/wait.hpp"
#include "core/compose/compose.hpp"
#include "core/compose/self.hpp"
#include "core/compose/staged.hpp"

namespace muster {
namespace {

constexpr uint64_t kMillisecond = 1'000'000;

// Makes one group; the steps are in the order of run.
class GroupSetup {
 public:
  GroupSetup(muster_runtime& runtime, const muster_group_options& options,
             std::vector<uint32_t> ranks)
      : runtime_(runtime),
        options_(options),
        ranks_(std::move(ranks)),
        group_(std::make_unique<muster_group>()) {}

  Result<std::unique_ptr<muster_group>> run() {
    describe();
    Exchange exchange(*runtime_.world, ranks_, group_->context.info.tag, runtime_.setup_deadline());
    std::vector<const RankRecord*> members;
    for (const uint32_t r : ranks_) members.push_back(&runtime_.ranks[r]);
    chain_inputs_.staged_memory = memory_known_to_all(members);
    if (group_->size == 1) {
      chain_inputs_.backends.push_back(self_chain_backend(chain_inputs_.staged_memory));
    } else {
      StepTimes& times = group_->setup_times;
      Result<std::vector<RankRecord>> records = records_of_group(runtime_, ranks_, exchange);
      if (!records.ok()) return records.take_status();
      find(*records);
      times.done("offers");
      MUSTER_TRY(agree(exchange));
      times.done("agreement");
      MUSTER_TRY(watch_peers());
      times.done("watching peers");
      MUSTER_TRY(prepare(exchange));
      times.done("prepare");
      MUSTER_TRY(connect(exchange));
      times.done("connect");
      MUSTER_TRY(test(exchange));
      MUSTER_TRY(check_required());
      times.done("known answers");
    }
    compile();
    report_staging();
    group_->setup_times.done("compile");
    return std::move(group_);
  }

 private:
  // What the group is, before any backend is asked.
  void describe() {
    muster_group& group = *group_;
    group.runtime = &runtime_;
    group.name = options_.name == nullptr ? "group" : options_.name;
    group.size = static_cast<uint32_t>(ranks_.size());
    group.rank = static_cast<uint32_t>(
        std::find(ranks_.begin(), ranks_.end(), runtime_.world->rank()) - ranks_.begin());
    group.memory =
        options_.memory == MUSTER_MEMORY_DEFAULT ? muster_memory{MUSTER_HOST} : options_.memory;
    GroupContext& context = group.context;
    context.name = group.name;
    context.bootstrap = runtime_.world->name();
    context.world_ranks = ranks_;
    for (const uint32_t r : ranks_) context.places.push_back(runtime_.places[r]);
    context.world = runtime_.world.get();
    context.channel = runtime_.channel.get();
    context.timeout_ns = group_timeout_ms(runtime_.config, group.name) * kMillisecond;
    context.spin_ns = runtime_.config.wait_spin_us.value * 1000;
    const uint32_t node = runtime_.places[runtime_.world->rank()].node;
    const auto neighbours = std::count_if(runtime_.places.begin(), runtime_.places.end(),
                                          [&](const auto& place) { return place.node == node; });
    context.crowded = neighbours > static_cast<int64_t>(std::thread::hardware_concurrency());
    context.info.struct_size = MUSTER_GROUP_INFO_SIZE;
    context.info.rank = group.rank;
    context.info.size = group.size;
    context.info.determinism = options_.determinism;
    context.info.tag = runtime_.next_tag(ranks_);
    context.info.name = context.name.c_str();
    context.info.bootstrap = context.bootstrap.c_str();
    context.info.places = context.places.data();
    context.devices = &runtime_.devices;
    context.scratch.on(runtime_.devices, context.device());
    chain_inputs_.group_name = group.name;
    chain_inputs_.ranks = group.size;
    chain_inputs_.determinism = options_.determinism;
    chain_inputs_.policy = &runtime_.config.rules;
  }

  void leave_out(const std::string& id, Stage stage, const std::string& reason,
                 const std::string& source = "") {
    left_out_.push_back({id, stage, reason, source});
    runtime_.records.add(
        {stage, fmt::format("{} of group {}", id, group_->name), "left out", reason, source});
  }

  void find(const std::vector<RankRecord>& ranks) {
    GroupDescription description{group_->name, group_->context.bootstrap, options_.determinism,
                                 group_->context.places};
    std::vector<const RankRecord*> records;
    for (const RankRecord& record : ranks) records.push_back(&record);
    GroupCandidates found =
        find_candidates(runtime_.plugins, runtime_.config, description, records);
    for (const LeftOut& out : found.left_out) leave_out(out.id, out.stage, out.reason, out.source);
    candidates_ = std::move(found.usable);
  }

  // Options of the group must be equal; a backend whose offer differs is left out everywhere.
  Status agree(Exchange& exchange) {
    std::vector<Compared> items;
    items.push_back(
        {"options", fmt::format("name {} memory {} determinism {} checked {}", group_->name,
                                memory_name(group_->memory), determinism_name(options_.determinism),
                                options_.checked != 0)});
    // Who was asked for an offer follows from the ranks' records; what came of it may differ.
    std::set<std::string> asked;
    for (const GroupCandidate& candidate : candidates_) asked.insert(candidate.chain.id);
    for (const LeftOut& out : left_out_) {
      if (out.stage == Stage::kQuery) asked.insert(out.id);
    }
    items.push_back({"backends", fmt::format("{}", fmt::join(asked, " "))});
    Result<std::vector<Difference>> differences = exchange.compare(items);
    if (!differences.ok()) return differences.take_status();
    if (!differences->empty()) {
      const Difference& first = differences->front();
      return Status(
          MUSTER_MISMATCH,
          fmt::format(
              "the ranks of a group disagree about its {}: rank 0 has '{}', rank {} has '{}'",
              items[first.item].name, first.at_rank_0, first.rank, first.at_rank),
          "call muster_group_create with the same options on every rank, in the same order");
    }
    items.clear();
    for (const std::string& id : asked) items.push_back({id, offer_text(id)});
    differences = exchange.compare(items);
    if (!differences.ok()) return differences.take_status();
    for (const Difference& difference : *differences) {
      const std::string& id = items[difference.item].name;
      std::erase_if(left_out_, [&](const LeftOut& out) { return out.id == id; });
      leave_out(id, Stage::kAgree,
                fmt::format("its offer on rank {} differs from that on rank 0", difference.rank),
                "plugin");
    }
    drop_left_out();
    return Status();
  }

  // What a backend offers here, "" when it does not.
  std::string offer_text(const std::string& id) const {
    const auto found =
        std::find_if(candidates_.begin(), candidates_.end(),
                     [&](const GroupCandidate& candidate) { return candidate.chain.id == id; });
    if (found == candidates_.end()) return {};
    std::string text = fmt::format("{} {}\n", id, found->plugin->version());
    for (const auto& [key, value] : found->options)
      text += fmt::format("option {} {}\n", key, value);
    for (const muster_rule& rule : found->chain.rules) text += rule_text(rule) + "\n";
    return text;
  }

  void drop_left_out() {
    const auto is_out = [&](const std::string& id) {
      return std::any_of(left_out_.begin(), left_out_.end(),
                         [&](const LeftOut& out) { return out.id == id; });
    };
    std::erase_if(candidates_,
                  [&](const GroupCandidate& candidate) { return is_out(candidate.chain.id); });
    for (auto live = group_->backends.begin(); live != group_->backends.end();) {
      if (!is_out(live->plugin->id())) {
        ++live;
        continue;
      }
      if (live->state != nullptr) live->table->group_destroy(live->state);
      live = group_->backends.erase(live);
    }
  }

  // Opens the connections that tell whether the ranks of this node live.
  Status watch_peers() {
    std::vector<uint32_t> neighbours;
    for (const uint32_t r : ranks_) {
      if (runtime_.places[r].node == runtime_.places[runtime_.world->rank()].node)
        neighbours.push_back(r);
    }
    if (neighbours.size() < 2) return Status();
    return runtime_.channel->connect(neighbours, group_->context.deadline());
  }

  // A backend fell out that was expected to serve.
  void report_failure(const std::string& id, Stage stage, const std::string& cause) {
    leave_out(id, stage, cause);
    const Mode mode = mode_of(runtime_.config, id, group_->name);
    if (mode != Mode::kPreferred ||
        runtime_.config.fallback_policy.value == FallbackPolicy::kSilent)
      return;
    const std::lock_guard<std::mutex> lock(runtime_.mutex);
    if (runtime_.warned.insert(id).second) {
      log_warn(fmt::format("backend {} is left out of group {} at {}: {}", id, group_->name,
                           stage_name(stage), cause));
    }
  }

  Status vote(Exchange& exchange, Stage stage, const std::vector<std::string>& causes) {
    Result<std::vector<std::string>> result = exchange.vote(causes);
    if (!result.ok()) return result.take_status();
    const std::vector<GroupCandidate> voted = candidates_;
    for (size_t i = 0; i < voted.size(); ++i) {
      if (!(*result)[i].empty()) report_failure(voted[i].chain.id, stage, (*result)[i]);
    }
    drop_left_out();
    return Status();
  }

  Status prepare(Exchange& exchange) {
    std::vector<std::string> causes;
    for (const GroupCandidate& candidate : candidates_) {
      LiveBackend& live = group_->backends.emplace_back();
      live.plugin = candidate.plugin;
      live.table = candidate.plugin->backend();
      live.host.context = &group_->context;
      live.host.plugin = &candidate.plugin->host();
      live.host.options = candidate.options;
      group_->context.begin_operation();
      Status status(
          live.table->group_prepare(candidate.plugin->instance(), &live.host, &live.state));
      if (status.ok() && live.state == nullptr)
        status = Status(MUSTER_INTERNAL, "group_prepare gave no group");
      causes.push_back(status.ok() ? "" : "prepare: " + status.cause());
    }
    return vote(exchange, Stage::kAgree, causes);
  }

  Status connect(Exchange& exchange) {
    std::vector<std::string> causes;
    for (LiveBackend& live : group_->backends) {
      group_->context.begin_operation();
      const Status status(live.table->group_connect(live.state));
      causes.push_back(status.ok() ? "" : "connect: " + status.cause());
    }
    return vote(exchange, Stage::kAgree, causes);
  }

  Status test(Exchange& exchange) {
    if (!runtime_.config.check_known_answer.value) return Status();
    for (const GroupCandidate& candidate : std::vector<GroupCandidate>(candidates_)) {
      const auto live =
          std::find_if(group_->backends.begin(), group_->backends.end(),
                       [&](const LiveBackend& b) { return b.plugin == candidate.plugin; });
      Result<KnownAnswerResult> result =
          known_answer_test(*group_, *live, candidate.chain.rules, chain_inputs_.staged_memory,
                            PassedTests(runtime_.config, runtime_.kernels.ready()), exchange,
                            runtime_.config.check_known_answer_ms.value * kMillisecond);
      if (!result.ok()) return result.take_status();
      const std::string subject = fmt::format("{} of group {}", candidate.chain.id, group_->name);
      if (!result->failure.empty()) {
        report_failure(candidate.chain.id, Stage::kCheck, "known-answer test: " + result->failure);
      } else {
        runtime_.records.add({Stage::kCheck, subject, "passed", result->text(), ""});
      }
    }
    drop_left_out();
    return Status();
  }

  Status check_required() {
    std::string reasons;
    for (const LeftOut& out : left_out_) {
      reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", out.id, out.reason);
      const bool failed = out.stage == Stage::kAgree || out.stage == Stage::kCheck;
      if (mode_of(runtime_.config, out.id, group_->name) == Mode::kRequired ||
          (failed && runtime_.config.fallback_policy.value == FallbackPolicy::kError)) {
        return Status(
            MUSTER_UNAVAILABLE,
            fmt::format("group {} must not do without backend {}, which was left out at {}: {}",
                        group_->name, out.id, stage_name(out.stage), out.reason),
            "mend it, or allow the fallback ([backend.<id>] mode, [fallback] policy)");
      }
    }
    MUSTER_TRY(check_required_of_group());
    if (!candidates_.empty()) return Status();
    return Status(
        MUSTER_UNAVAILABLE,
        fmt::format("no backend can serve group {} of {} ranks{}{}", group_->name, group_->size,
                    reasons.empty() ? "" : ": ", reasons),
        "muster list shows what is installed, muster list --failed why something is not used");
  }

  // Backends that a section for groups requires and that no rank has.
  Status check_required_of_group() const {
    for (const GroupSettings& section : runtime_.config.groups) {
      for (const auto& [id, settings] : section.backends) {
        const BackendSettings effective = backend_settings(runtime_.config, id, group_->name);
        const bool serves =
            std::any_of(candidates_.begin(), candidates_.end(),
                        [&](const GroupCandidate& candidate) { return candidate.chain.id == id; });
        if (serves || !effective.mode || effective.mode->value != Mode::kRequired) continue;
        return Status(
            MUSTER_UNAVAILABLE,
            fmt::format("group {} requires backend {} ({}), which was not found", group_->name, id,
                        effective.mode->source.text()),
            "install its plugin; muster list --paths prints where plugins are looked for");
      }
    }
    return Status();
  }

  void compile() {
    muster_group& group = *group_;
    for (const GroupCandidate& candidate : candidates_)
      chain_inputs_.backends.push_back(candidate.chain);
    group.chain = compile_chain(chain_inputs_);
    group.chain.left_out = std::move(left_out_);
    group.link();
    for (Candidate& candidate : group.chain.table.candidates) {
      if (candidate.backend == kComposed) continue;
      const LiveBackend* const live = group.live_backend(candidate.backend);
      if (live == nullptr) {
        candidate.execute = self_execute;
        candidate.state = reinterpret_cast<muster_backend_group*>(&group);
      } else {
        candidate.execute = live->table->execute;
        candidate.state = live->state;
      }
    }
    bind_composed(group);
    group.enter(MUSTER_EAGER);
    for (const ChainBackend& backend : group.chain.backends)
      group.shown_names.push_back(backend.id);
    if (options_.checked != 0 || runtime_.config.check_calls.value)
      group.attention.fetch_or(kAttentionChecked);
    runtime_.records.add(
        {Stage::kChain, "group " + group.name, "compiled",
         fmt::format("{} of {} ranks, digest {}", fmt::join(group.shown_names, " > "), group.size,
                     digest_of(chain_text(group.chain)).short_text()),
         ""});
  }

  // The floor serves: right, and slow enough to be asked about.
  void report_staging() const {
    const muster_group& group = *group_;
    const bool silent = runtime_.config.fallback_policy.value == FallbackPolicy::kSilent;
    if (silent || !sums_are_staged(group.chain, group.memory)) return;
    const std::lock_guard<std::mutex> lock(runtime_.mutex);
    if (!runtime_.warned.insert("staged " + group.name).second) return;
    log_warn(
        fmt::format("group {}: no backend serves {} memory, calls are staged through the host "
                    "(muster explain says why)",
                    group.name, memory_name(group.memory)));
  }

  muster_runtime& runtime_;
  const muster_group_options& options_;
  std::vector<uint32_t> ranks_;
  std::unique_ptr<muster_group> group_;
  std::vector<GroupCandidate> candidates_;
  std::vector<LeftOut> left_out_;
  ChainInputs chain_inputs_;
};

}  // namespace

Result<std::unique_ptr<muster_group>> create_group(muster_runtime& runtime,
                                                   const muster_group_options& options,
                                                   std::vector<uint32_t> ranks) {
  return GroupSetup(runtime, options, std::move(ranks)).run();
}

muster_group* keep_group(std::unique_ptr<muster_group> group) {
  const std::lock_guard<std::mutex> lock(group->runtime->mutex);
  group->runtime->groups.insert(group.get());
  return group.release();
}

void end_group(muster_group* group) {
  {
    const std::lock_guard<std::mutex> lock(group->runtime->mutex);
    group->runtime->groups.erase(group);
  }
  delete group;
}

}  // namespace muster

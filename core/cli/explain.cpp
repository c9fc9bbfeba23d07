// `muster explain`: which backend would serve a call of a group, and why not the others. A dry run:
// nothing is connected.
#include "core/explain/explain.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/agree/candidates.hpp"
#include "core/agree/rank_record.hpp"
#include "core/base/units.hpp"
#include "core/cli/command.hpp"
#include "core/cli/survey.hpp"
#include "core/compose/self.hpp"

namespace muster::cli {
namespace {

struct Options {
  std::string op;
  std::string dtype = "f32";
  std::string redop = "sum";
  std::string bytes = "1M";
  std::string memory = "host";
  std::string phase = "eager";
  std::string determinism = "none";
  std::string group = "world";
  std::string bootstrap = "local";
  std::string describe;
  std::string config_file;
  uint32_t ranks = 2;
  bool in_place = false;
  bool json = false;
};

template <typename T>
bool read_name(const char* what, const std::string& text, std::optional<T> found,
               const std::string& known, T* out) {
  if (found) {
    *out = *found;
    return true;
  }
  std::fprintf(stderr, "muster: '%s' is not %s; use one of %s\n", text.c_str(), what,
               known.c_str());
  return false;
}

bool read_question(const Options& options, Question* question, muster_determinism* determinism) {
  muster_phase phase = MUSTER_EAGER;
  if (!read_name("an operation", options.op, op_from_name(options.op), all_op_names(),
                 &question->op) ||
      !read_name("a dtype", options.dtype, dtype_from_name(options.dtype), all_dtype_names(),
                 &question->key.dtype) ||
      !read_name("a reduce operation", options.redop, redop_from_name(options.redop),
                 all_redop_names(), &question->key.redop) ||
      !read_name("a memory kind", options.memory, memory_from_name(options.memory),
                 all_memory_names(), &question->key.memory) ||
      !read_name("a phase", options.phase, phase_from_name(options.phase),
                 "eager, warmup, capture, piecewise", &phase) ||
      !read_name("a determinism class", options.determinism,
                 determinism_from_name(options.determinism),
                 "none, run_to_run, rank_invariant, size_invariant", determinism)) {
    return false;
  }
  question->key.op = selection_op(question->op);
  question->key.phase = phase_class_of(phase);
  if (op_reduces(question->op) && !redop_applies(question->key.redop, question->key.dtype)) {
    std::fprintf(stderr, "muster: %s is not defined for %s\n", options.redop.c_str(),
                 options.dtype.c_str());
    return false;
  }
  if (!op_reduces(question->op)) question->key.redop = MUSTER_REDOP_NONE;
  if (question->op == MUSTER_BARRIER) question->key.dtype = MUSTER_DTYPE_NONE;
  question->traits =
      (options.in_place ? kTraitInPlace : kTraitOutOfPlace) | kTraitNotSymmetric | kTraitStream;
  if (options.bytes == "unsized" || op_is_point_to_point(question->op)) {
    question->bytes = kUnsized;
    return true;
  }
  Result<uint64_t> bytes = parse_bytes(options.bytes);
  if (!bytes.ok()) {
    std::fprintf(stderr, "muster: --bytes: %s\n", bytes.status().message().c_str());
    return false;
  }
  question->bytes = question->op == MUSTER_BARRIER ? 0 : *bytes;
  return true;
}

// The ranks of an imagined group: each like this machine, or as a file describes them.
Result<std::vector<RankRecord>> imagined_ranks(const Options& options,
                                               const std::vector<std::unique_ptr<Plugin>>& plugins,
                                               const std::vector<FoundPlugin>& found) {
  std::vector<RankRecord> records;
  if (!options.describe.empty()) {
    std::ifstream file(options.describe);
    std::stringstream text;
    text << file.rdbuf();
    const nlohmann::json json = nlohmann::json::parse(text.str(), nullptr, false);
    if (!file || !json.is_object() || !json.contains("ranks") || !json["ranks"].is_array()) {
      return Status(MUSTER_INVALID_ARGUMENT,
                    fmt::format("{} does not describe ranks", options.describe),
                    "write what muster explain --print-description prints");
    }
    for (const nlohmann::json& rank : json["ranks"]) {
      Result<RankRecord> record = decode_rank_record(rank.dump());
      if (!record.ok()) return record.take_status().within(options.describe);
      records.push_back(std::move(*record));
    }
    return records;
  }
  RankRecord like_this;
  like_this.version = MUSTER_VERSION;
  like_this.node = "this-node";
  for (const auto& plugin : plugins) {
    if (plugin->backend() == nullptr) continue;
    PluginRecord& entry = like_this.plugins[plugin->id()];
    entry.version = plugin->version();
    if (Status status = plugin->probe(); !status.ok()) {
      entry.unusable = status.cause();
    } else {
      entry.facts = plugin->facts();
    }
  }
  for (const FoundPlugin& plugin : found) {
    if (plugin.entry.id.empty() || like_this.plugins.count(plugin.entry.id) != 0 ||
        plugin.state == PluginState::kUsable) {
      continue;
    }
    like_this.plugins[plugin.entry.id].unusable = fmt::format(
        "{} at {}: {}", plugin_state_name(plugin.state), stage_name(plugin.stage), plugin.reason);
  }
  for (uint32_t r = 0; r < options.ranks; ++r) {
    records.push_back(like_this);
    records.back().process = options.bootstrap == "threads" ? "one" : std::to_string(r);
  }
  return records;
}

int run(const Options& options, bool print_description) {
  Question question;
  muster_determinism determinism = MUSTER_NONDETERMINISTIC;
  if (!read_question(options, &question, &determinism)) return kUsage;
  auto survey = take_survey(true, options.config_file);
  if (!survey.ok()) return fail(survey.status());
  Survey& s = **survey;
  const std::vector<std::unique_ptr<Plugin>> plugins = open_plugins(s);
  Result<std::vector<RankRecord>> records = imagined_ranks(options, plugins, s.found);
  if (!records.ok()) return fail(records.status());
  if (print_description) {
    nlohmann::ordered_json json = {{"schema", "muster.description/1"},
                                   {"ranks", nlohmann::ordered_json::array()}};
    for (const RankRecord& record : *records)
      json["ranks"].push_back(nlohmann::ordered_json::parse(encode(record)));
    std::puts(json.dump(2).c_str());
    return kOk;
  }
  ChainInputs inputs;
  inputs.group_name = options.group;
  inputs.ranks = static_cast<uint32_t>(records->size());
  inputs.determinism = determinism;
  inputs.policy = &s.config.rules;
  GroupCandidates candidates;
  if (inputs.ranks == 1) {
    inputs.backends.push_back(self_chain_backend());
  } else {
    const GroupDescription group{options.group, options.bootstrap, determinism,
                                 places_of(*records)};
    std::vector<const RankRecord*> pointers;
    for (const RankRecord& record : *records) pointers.push_back(&record);
    candidates = find_candidates(plugins, s.config, group, pointers);
    for (const GroupCandidate& candidate : candidates.usable)
      inputs.backends.push_back(candidate.chain);
  }
  Chain chain = compile_chain(inputs);
  chain.left_out = candidates.left_out;
  const Explanation explanation = explain(chain, question);
  std::fputs(
      options.json ? explanation_json(explanation).c_str() : explanation_text(explanation).c_str(),
      stdout);
  return explanation.answer.empty() ? kNothingUsable : kOk;
}

}  // namespace

void add_explain(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  auto print_description = std::make_shared<bool>(false);
  CLI::App* verb = app.add_subcommand(
      "explain", "Which backend would serve a call, and why not the others (a dry run)");
  verb->add_option("operation", options->op, "all_reduce, all_gather, ...")->required();
  verb->add_option("--dtype", options->dtype, "Element type")->capture_default_str();
  verb->add_option("--redop", options->redop, "Reduce operation")->capture_default_str();
  verb->add_option("--bytes", options->bytes, "Size per rank, or 'unsized'")->capture_default_str();
  verb->add_option("--ranks,-n", options->ranks, "Ranks of the group")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  verb->add_option("--memory", options->memory, "Memory kind")->capture_default_str();
  verb->add_option("--phase", options->phase, "eager, warmup, capture or piecewise")
      ->capture_default_str();
  verb->add_option("--determinism", options->determinism, "Determinism class of the group")
      ->capture_default_str();
  verb->add_option("--group", options->group, "The group's name, for the configuration")
      ->capture_default_str();
  verb->add_option("--bootstrap", options->bootstrap,
                   "How the ranks would meet: local, threads, mpi, ...")
      ->capture_default_str();
  verb->add_flag("--in-place", options->in_place, "The call is in place");
  verb->add_option("--describe", options->describe,
                   "A JSON file with the ranks' facts, in place of this machine's");
  verb->add_flag("--print-description", *print_description,
                 "Print this machine's facts as such a file");
  verb->add_option("--config", options->config_file,
                   "Read this configuration file after all others");
  verb->add_flag("--json", options->json, "Print JSON (muster.explain/1)");
  verb->callback([&context, options, print_description] {
    context.run = [options, print_description] { return run(*options, *print_description); };
  });
}

}  // namespace muster::cli

// `muster explain`: which backend would serve a call of a group or of a role, and why not the
// others; or what groups a layout makes. A dry run: nothing is connected.
#include "core/explain/explain.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/agree/candidates.hpp"
#include "core/base/json_text.hpp"
#include "core/base/names.hpp"
#include "core/cli/command.hpp"
#include "core/cli/explain_difference.hpp"
#include "core/cli/explain_layout.hpp"
#include "core/cli/explain_question.hpp"
#include "core/cli/imagined_world.hpp"
#include "core/cli/survey.hpp"
#include "core/cli/world_change.hpp"
#include "core/compose/self.hpp"
#include "core/explain/describe.hpp"

namespace muster::cli {
namespace {

struct Options {
  QuestionOptions question;
  std::string group;
  std::string layout;
  std::string role;
  uint32_t of_rank = 0;
  std::string bootstrap = "local";
  std::string describe;
  std::string config_file;
  uint32_t ranks = 0;
  std::vector<std::string> changes;
  bool difference = false;
  bool json = false;
};

// The asked group of the imagined world.
struct Asked {
  std::string group = "world";
  std::vector<uint32_t> ranks;
};

Result<Asked> asked_group(const Options& options, const LayoutSizes& sizes, const Sharing& sharing,
                          muster_role role) {
  if (options.of_rank >= sizes.world) {
    return Status(
        MUSTER_INVALID_ARGUMENT,
        fmt::format("--of-rank {} is outside the world of {} ranks", options.of_rank, sizes.world));
  }
  Asked asked{role_group_name("", sharing[role]), role_ranks(sizes, role, options.of_rank)};
  if (!options.group.empty()) asked.group = options.group;
  return asked;
}

Chain imagined_chain(const std::string& bootstrap, muster_determinism determinism,
                     const Asked& asked, const std::vector<RankRecord>& world,
                     const std::vector<std::unique_ptr<Plugin>>& plugins, const Config& config) {
  ChainInputs inputs;
  inputs.group_name = asked.group;
  inputs.ranks = static_cast<uint32_t>(asked.ranks.size());
  inputs.determinism = determinism;
  inputs.policy = &config.rules;
  GroupCandidates candidates;
  std::vector<RankRecord> members;
  std::vector<const RankRecord*> pointers;
  for (const uint32_t rank : asked.ranks) {
    members.push_back(world[rank]);
    pointers.push_back(&world[rank]);
  }
  inputs.staged_memory = memory_known_to_all(pointers);
  if (inputs.ranks == 1) {
    inputs.backends.push_back(self_chain_backend(inputs.staged_memory));
  } else {
    const GroupDescription group{asked.group, bootstrap, determinism, places_of(members)};
    candidates = find_candidates(plugins, config, group, pointers);
    for (const GroupCandidate& candidate : candidates.usable)
      inputs.backends.push_back(candidate.chain);
  }
  Chain chain = compile_chain(inputs);
  chain.left_out = candidates.left_out;
  return chain;
}

// One question about one world.
struct Dry {
  QuestionOptions question;
  std::vector<RankRecord> world;
};

// The same with the changes that were given.
Result<Dry> changed(const Dry& before, const std::vector<std::string>& changes) {
  Dry after = before;
  for (const std::string& text : changes) {
    Result<Change> change = parse_change(text);
    if (!change.ok()) return change.take_status();
    const bool of_question = !change->of_ranks && !change->letter &&
                             change_question(after.question, change->name, change->value);
    if (!of_question) MUSTER_TRY(apply_change(*change, after.world));
  }
  return after;
}

int print_difference(const Options& options, const Explanation& before, const Explanation& after) {
  const std::vector<std::string> lines = explanation_difference(before, after);
  if (options.json) {
    const nlohmann::ordered_json json = {{"schema", "muster.explain_difference/1"},
                                         {"changes", options.changes},
                                         {"answer_before", before.answer},
                                         {"answer", after.answer},
                                         {"lines", lines}};
    std::puts(json_text(json, 2).c_str());
  } else {
    for (const std::string& change : options.changes)
      std::printf("  change    %s\n", change.c_str());
    for (const std::string& line : lines) std::puts(line.c_str());
    if (lines.empty()) std::puts("  nothing changes for this call");
  }
  return after.answer.empty() ? kNothingUsable : kOk;
}

// Prints what a layout makes of a world; nothing is asked.
int print_overview(const Options& options, const LayoutSizes& sizes, const Sharing& sharing,
                   muster_role role) {
  std::fputs(options.json ? layout_overview_json(sizes, sharing, role).c_str()
                          : layout_overview(sizes, sharing, role).c_str(),
             stdout);
  return kOk;
}

// What is wrong with the options as a whole; "".
std::string mistake_in(const Options& options, bool overview, bool print_description) {
  if (overview && options.layout.empty())
    return "name an operation, or a --layout to describe: " + all_op_names();
  if (!overview && !print_description && options.role.empty() && !options.layout.empty())
    return "--layout and an operation need --role";
  if (options.difference && options.changes.empty())
    return "--diff compares with what --change changes: give one";
  if (options.difference && (overview || print_description)) return "--diff needs an operation";
  return {};
}

int run(const Options& options, bool print_description) {
  const bool overview = options.question.op.empty() && !print_description;
  if (const std::string mistake = mistake_in(options, overview, print_description);
      !mistake.empty()) {
    std::fprintf(stderr, "muster: %s\n", mistake.c_str());
    return kUsage;
  }
  muster_role role = options.layout.empty() ? MUSTER_ROLE_WORLD : MUSTER_ROLE_NONE;
  if (!options.role.empty()) {
    const std::optional<muster_role> named = role_from_name(options.role);
    if (!named) return fail(unknown_role(options.role));
    role = *named;
  }
  const bool asks = !overview && !print_description;
  if (asks) {
    if (const auto asked = read_question(options.question); !asked.ok()) {
      fail(asked.status());
      return kUsage;
    }
  }
  auto survey = take_survey(!overview, options.config_file);
  if (!survey.ok()) return fail(survey.status());
  Survey& s = **survey;
  Dry dry{options.question, {}};
  const bool described = !options.describe.empty();
  if (described) {
    Result<std::vector<RankRecord>> ranks = described_ranks(options.describe);
    if (!ranks.ok()) return fail(ranks.status());
    dry.world = std::move(*ranks);
  }
  // Without a layout the world is one group.
  uint32_t ranks = described ? static_cast<uint32_t>(dry.world.size()) : options.ranks;
  if (ranks == 0 && options.layout.empty()) ranks = 2;
  Result<LayoutSizes> sizes = imagine_layout(options.layout, ranks);
  if (!sizes.ok()) return fail(sizes.status());
  const Sharing sharing = share_groups(*sizes, kAllRoles, s.config, "");
  if (overview) return print_overview(options, *sizes, sharing, role);
  Result<Asked> asked = asked_group(options, *sizes, sharing, role);
  if (!asked.ok()) return fail(asked.status());
  const std::vector<std::unique_ptr<Plugin>> plugins = open_plugins(s, described);
  if (!described) dry.world = ranks_like_this(sizes->world, options.bootstrap, plugins, s.found);
  Result<Dry> after = changed(dry, options.changes);
  if (!after.ok()) return fail(after.status());
  if (print_description) {
    std::puts(description_json(after->world).c_str());
    return kOk;
  }
  const auto explained = [&](const Dry& one) -> Result<Explanation> {
    Result<AskedQuestion> question = read_question(one.question);
    if (!question.ok()) return question.take_status();
    return explain(imagined_chain(options.bootstrap, question->determinism, *asked, one.world,
                                  plugins, s.config),
                   question->question);
  };
  Result<Explanation> explanation = explained(*after);
  if (!explanation.ok()) return fail(explanation.status());
  if (options.difference) return print_difference(options, *explained(dry), *explanation);
  const std::vector<KernelsInUse> kernels = s.kernels.in_use();  // of this machine
  if (options.json) {
    std::fputs(explanation_json(*explanation, kernels).c_str(), stdout);
  } else {
    if (!options.layout.empty()) std::fputs(layout_overview(*sizes, sharing, role).c_str(), stdout);
    std::fputs(explanation_text(*explanation).c_str(), stdout);
    std::fputs(describe_kernels_text(kernels).c_str(), stdout);
  }
  return explanation->answer.empty() ? kNothingUsable : kOk;
}

}  // namespace

void add_explain(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  auto print_description = std::make_shared<bool>(false);
  CLI::App* verb = app.add_subcommand(
      "explain", "Which backend would serve a call, and why not the others (a dry run)");
  verb->add_option("operation", options->question.op,
                   "all_reduce, all_gather, ...; without one, --layout is described");
  verb->add_option("--dtype", options->question.dtype, "Element type")->capture_default_str();
  verb->add_option("--redop", options->question.redop, "Reduce operation")->capture_default_str();
  verb->add_option("--bytes", options->question.bytes, "Size per rank, or 'unsized'")
      ->capture_default_str();
  verb->add_option("--ranks,-n", options->ranks,
                   "Ranks of the world (default: what the layout needs, or 2)")
      ->check(CLI::Range(1, 65536));
  verb->add_option("--layout", options->layout, "How roles cut the world: tp=8,ep=4");
  verb->add_option("--role", options->role, "The role whose group makes the call: tp, moe_ep, ...");
  verb->add_option("--of-rank", options->of_rank, "The group of that role that this rank is in")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  verb->add_option("--memory", options->question.memory, "Memory kind")->capture_default_str();
  verb->add_option("--phase", options->question.phase, "eager, warmup, capture or piecewise")
      ->capture_default_str();
  verb->add_option("--determinism", options->question.determinism, "Determinism class of the group")
      ->capture_default_str();
  verb->add_option("--group", options->group,
                   "The group's name, for the configuration (default: world, or the role)");
  verb->add_option("--bootstrap", options->bootstrap,
                   "How the ranks would meet: local, threads, mpi, ...")
      ->capture_default_str();
  verb->add_flag("--in-place", options->question.in_place, "The call is in place");
  verb->add_flag("--host-call", options->question.host_call,
                 "A call on device memory without a stream");
  verb->add_option("--describe", options->describe,
                   "A JSON file with the ranks' facts, in place of this machine's");
  verb->add_option("--change", options->changes,
                   "A single change, again and again: 'rank 5: nccl.nccl.version=2.18.5', "
                   "'cuda_peer.links.2[5]=P', phase=capture; see config/machines/README.md")
      ->take_all();
  verb->add_flag("--diff", options->difference,
                 "Print the lines that the changes change, and no others");
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

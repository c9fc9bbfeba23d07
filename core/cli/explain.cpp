// `muster explain`: which backend would serve a call of a group or of a role, and why not the
// others; or what groups a layout makes. A dry run: nothing is connected.
#include "core/explain/explain.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "core/agree/candidates.hpp"
#include "core/base/units.hpp"
#include "core/cli/command.hpp"
#include "core/cli/explain_layout.hpp"
#include "core/cli/imagined_world.hpp"
#include "core/cli/survey.hpp"
#include "core/compose/self.hpp"
#include "core/explain/describe.hpp"

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
  std::string group;
  std::string layout;
  std::string role;
  uint32_t of_rank = 0;
  std::string bootstrap = "local";
  std::string describe;
  std::string config_file;
  uint32_t ranks = 0;
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
  if (inputs.ranks == 1) {
    inputs.backends.push_back(self_chain_backend());
  } else {
    std::vector<RankRecord> members;
    std::vector<const RankRecord*> pointers;
    for (const uint32_t rank : asked.ranks) {
      members.push_back(world[rank]);
      pointers.push_back(&world[rank]);
    }
    const GroupDescription group{asked.group, bootstrap, determinism, places_of(members)};
    candidates = find_candidates(plugins, config, group, pointers);
    for (const GroupCandidate& candidate : candidates.usable)
      inputs.backends.push_back(candidate.chain);
  }
  Chain chain = compile_chain(inputs);
  chain.left_out = candidates.left_out;
  return chain;
}

int run(const Options& options, bool print_description) {
  const bool overview = options.op.empty() && !print_description;
  if (overview && options.layout.empty()) {
    std::fprintf(stderr, "muster: name an operation, or a --layout to describe: %s\n",
                 all_op_names().c_str());
    return kUsage;
  }
  muster_role role = options.layout.empty() ? MUSTER_ROLE_WORLD : MUSTER_ROLE_NONE;
  if (!options.role.empty()) {
    const std::optional<muster_role> named = role_from_name(options.role);
    if (!named) return fail(unknown_role(options.role));
    role = *named;
  } else if (!overview && role == MUSTER_ROLE_NONE) {
    std::fputs("muster: --layout and an operation need --role\n", stderr);
    return kUsage;
  }
  Question question;
  muster_determinism determinism = MUSTER_NONDETERMINISTIC;
  if (!overview && !read_question(options, &question, &determinism)) return kUsage;
  auto survey = take_survey(!overview, options.config_file);
  if (!survey.ok()) return fail(survey.status());
  Survey& s = **survey;
  std::vector<RankRecord> world;
  if (!options.describe.empty()) {
    Result<std::vector<RankRecord>> described = described_ranks(options.describe);
    if (!described.ok()) return fail(described.status());
    world = std::move(*described);
  }
  // Without a layout the world is one group.
  uint32_t ranks = world.empty() ? options.ranks : static_cast<uint32_t>(world.size());
  if (ranks == 0 && options.layout.empty()) ranks = 2;
  Result<LayoutSizes> sizes = imagine_layout(options.layout, ranks);
  if (!sizes.ok()) return fail(sizes.status());
  const Sharing sharing = share_groups(*sizes, kAllRoles, s.config, "");
  if (overview) {
    std::fputs(options.json ? layout_overview_json(*sizes, sharing, role).c_str()
                            : layout_overview(*sizes, sharing, role).c_str(),
               stdout);
    return kOk;
  }
  Result<Asked> asked = asked_group(options, *sizes, sharing, role);
  if (!asked.ok()) return fail(asked.status());
  const std::vector<std::unique_ptr<Plugin>> plugins = open_plugins(s);
  if (world.empty()) world = ranks_like_this(sizes->world, options.bootstrap, plugins, s.found);
  if (print_description) {
    std::puts(description_json(world).c_str());
    return kOk;
  }
  const Chain chain =
      imagined_chain(options.bootstrap, determinism, *asked, world, plugins, s.config);
  const Explanation explanation = explain(chain, question);
  if (!options.layout.empty() && !options.json) {
    std::fputs(layout_overview(*sizes, sharing, role).c_str(), stdout);
  }
  const std::vector<KernelsInUse> kernels = s.kernels.in_use();
  if (options.json) {
    std::fputs(explanation_json(explanation, kernels).c_str(), stdout);
  } else {
    std::fputs(explanation_text(explanation).c_str(), stdout);
    std::fputs(describe_kernels_text(kernels).c_str(), stdout);
  }
  return explanation.answer.empty() ? kNothingUsable : kOk;
}

}  // namespace

void add_explain(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  auto print_description = std::make_shared<bool>(false);
  CLI::App* verb = app.add_subcommand(
      "explain", "Which backend would serve a call, and why not the others (a dry run)");
  verb->add_option("operation", options->op,
                   "all_reduce, all_gather, ...; without one, --layout is described");
  verb->add_option("--dtype", options->dtype, "Element type")->capture_default_str();
  verb->add_option("--redop", options->redop, "Reduce operation")->capture_default_str();
  verb->add_option("--bytes", options->bytes, "Size per rank, or 'unsized'")->capture_default_str();
  verb->add_option("--ranks,-n", options->ranks,
                   "Ranks of the world (default: what the layout needs, or 2)")
      ->check(CLI::Range(1, 65536));
  verb->add_option("--layout", options->layout, "How roles cut the world: tp=8,ep=4");
  verb->add_option("--role", options->role, "The role whose group makes the call: tp, moe_ep, ...");
  verb->add_option("--of-rank", options->of_rank, "The group of that role that this rank is in")
      ->capture_default_str();
  verb->add_option("--memory", options->memory, "Memory kind")->capture_default_str();
  verb->add_option("--phase", options->phase, "eager, warmup, capture or piecewise")
      ->capture_default_str();
  verb->add_option("--determinism", options->determinism, "Determinism class of the group")
      ->capture_default_str();
  verb->add_option("--group", options->group,
                   "The group's name, for the configuration (default: world, or the role)");
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

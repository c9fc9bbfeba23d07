// `muster list`: what was found, in which state, and why something cannot be used.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/json_text.hpp"
#include "core/cli/command.hpp"
#include "core/cli/survey.hpp"
#include "core/explain/describe.hpp"

namespace muster::cli {
namespace {

struct Options {
  bool json = false;
  bool failed = false;
  bool paths = false;
  bool probe = false;
  std::string exists;
};

int print_paths(const Survey& survey, bool json) {
  if (json) {
    const nlohmann::ordered_json out = {{"schema", "muster.paths/1"},
                                        {"directories", survey.directories}};
    std::puts(json_text(out, 2).c_str());
    return kOk;
  }
  for (const std::string& directory : survey.directories) std::puts(directory.c_str());
  return kOk;
}

int run(const Options& options) {
  auto survey = take_survey(options.probe || options.failed);
  if (!survey.ok()) return fail(survey.status());
  Survey& s = **survey;
  if (options.failed) open_plugins(s);
  if (options.paths) return print_paths(s, options.json);
  if (!options.exists.empty()) {
    const bool found = std::any_of(s.found.begin(), s.found.end(), [&](const FoundPlugin& plugin) {
      return plugin.entry.id == options.exists &&
             (plugin.state == PluginState::kUsable || plugin.state == PluginState::kUnprobed);
    });
    return found ? kOk : kFailed;
  }
  const std::vector<KernelsInUse> kernels = s.kernels.in_use();
  if (options.json) {
    std::fputs(describe_plugins_json(s.found, s.records.all(), options.failed, kernels).c_str(),
               stdout);
    return kOk;
  }
  if (!options.failed) std::fputs(describe_kernels_text(kernels).c_str(), stdout);
  std::fputs(describe_plugins_text(s.found, s.records.all(), options.failed).c_str(), stdout);
  return kOk;
}

}  // namespace

void add_list(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("list", "What plugins were found, and in which state");
  verb->add_flag("--json", options->json, "Print JSON (muster.list/1)");
  verb->add_flag("--failed", options->failed,
                 "Only what cannot be used, with stage and cause (probes what is new)");
  verb->add_flag("--paths", options->paths, "Print the plugin directories, in order");
  verb->add_flag("--probe", options->probe,
                 "Probe what has not been probed; without it nothing is opened");
  verb->add_option("--exists", options->exists,
                   "Exit 0 if a plugin of this id may be used, else 1");
  verb->callback([&context, options] { context.run = [options] { return run(*options); }; });
}

}  // namespace muster::cli

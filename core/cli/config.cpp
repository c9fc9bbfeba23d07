// `muster config show | check | default`.
#include "config/config.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "config/show.hpp"
#include "core/base/json_text.hpp"
#include "core/cli/command.hpp"

namespace muster::cli {
namespace {

struct Options {
  bool json = false;
  bool changed = false;
  std::string file;
};

int show(const Options& options) {
  Result<Config> config = load_config(config_inputs_of_process(options.file));
  if (!config.ok()) return fail(config.status());
  std::vector<ConfigEntry> entries = config_entries(*config);
  if (options.changed)
    std::erase_if(entries, [](const ConfigEntry& entry) { return entry.is_default; });
  if (options.json) {
    nlohmann::ordered_json json = {{"schema", "muster.config/1"}, {"files", config->files}};
    json["settings"] = nlohmann::ordered_json::array();
    for (const ConfigEntry& entry : entries) {
      json["settings"].push_back({{"key", entry.key},
                                  {"value", entry.value},
                                  {"source", entry.source},
                                  {"default", entry.is_default},
                                  {"level", entry.level},
                                  {"scope", entry.scope},
                                  {"variable", entry.variable},
                                  {"help", entry.help}});
    }
    std::puts(json_text(json, 2).c_str());
    return kOk;
  }
  size_t key = 3;
  size_t value = 5;
  for (const ConfigEntry& entry : entries) {
    key = std::max(key, entry.key.size());
    value = std::max(value, std::min<size_t>(entry.value.size(), 40));
  }
  for (const ConfigEntry& entry : entries) {
    std::fputs(fmt::format("{:<{}}  {:<{}}  {}\n", entry.key, key, entry.value, value, entry.source)
                   .c_str(),
               stdout);
  }
  std::fputs(fmt::format("{} settings from {} files      next: muster config default\n",
                         entries.size(), config->files.size())
                 .c_str(),
             stdout);
  return kOk;
}

int check(const Options& options) {
  Result<Config> config = load_config(config_inputs_of_process(options.file));
  if (options.json) {
    nlohmann::ordered_json json = {{"schema", "muster.config_check/1"}, {"ok", config.ok()}};
    if (!config.ok()) {
      json["cause"] = config.status().cause();
      json["remedy"] = config.status().remedy();
    } else {
      json["files"] = config->files;
    }
    std::puts(json_text(json, 2).c_str());
    return config.ok() ? kOk : kFailed;
  }
  if (!config.ok()) {
    fail(config.status());
    return kFailed;
  }
  for (const std::string& file : config->files) std::puts(fmt::format("{}  ok", file).c_str());
  std::puts(fmt::format("{} files are right", config->files.size()).c_str());
  return kOk;
}

}  // namespace

void add_config(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* verb =
      app.add_subcommand("config", "The effective configuration, and where each value comes from");
  verb->require_subcommand(1);
  CLI::App* show_verb = verb->add_subcommand("show", "Print every value with its source");
  show_verb->add_flag("--json", options->json, "Print JSON (muster.config/1)");
  show_verb->add_flag("--changed", options->changed, "Only what differs from the defaults");
  show_verb->add_option("--file", options->file, "Read this file after all others");
  show_verb->callback([&context, options] { context.run = [options] { return show(*options); }; });
  CLI::App* check_verb =
      verb->add_subcommand("check", "Check the files that would be read, or one more");
  check_verb->add_flag("--json", options->json, "Print JSON (muster.config_check/1)");
  check_verb->add_option("file", options->file, "A file to check after all others");
  check_verb->callback(
      [&context, options] { context.run = [options] { return check(*options); }; });
  CLI::App* default_verb =
      verb->add_subcommand("default", "Print the commented default muster.toml");
  default_verb->add_flag("--json", options->json, "Print JSON (muster.config_default/1)");
  default_verb->callback([&context, options] {
    context.run = [options] {
      if (options->json) {
        const nlohmann::ordered_json json = {{"schema", "muster.config_default/1"},
                                             {"toml", default_toml()}};
        std::puts(json_text(json, 2).c_str());
      } else {
        std::fputs(default_toml().c_str(), stdout);
      }
      return int{kOk};
    };
  });
}

}  // namespace muster::cli

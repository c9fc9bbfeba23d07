// `muster inspect ID | FILE.so`: one plugin's entry record, read from the file; its options once it
// may be opened.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <climits>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/json_text.hpp"
#include "core/cli/command.hpp"
#include "core/cli/survey.hpp"
#include "core/query/plugin.hpp"

namespace muster::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  bool json = false;
  std::string what;
};

const char* type_name(muster_option_type type) {
  static constexpr const char* kNames[MUSTER_OPTION_END] = {"text", "integer", "bytes", "boolean"};
  return type < MUSTER_OPTION_END ? kNames[type] : "unknown";
}

Json describe_options(const Plugin& plugin) {
  Json out = Json::array();
  const muster_backend* const backend = plugin.backend();
  for (uint32_t i = 0; backend != nullptr && i < backend->option_count; ++i) {
    const muster_option& option = MUSTER_AT(muster_option, backend->options, i);
    Json entry = {{"name", option.name},
                  {"type", type_name(option.type)},
                  {"default", option.default_value == nullptr ? "" : option.default_value},
                  {"help", option.help == nullptr ? "" : option.help}};
    if (option.type == MUSTER_OPTION_INTEGER || option.type == MUSTER_OPTION_BYTES) {
      entry["minimum"] = option.minimum;
      entry["maximum"] = option.maximum;
    }
    out.push_back(std::move(entry));
  }
  return out;
}

Json describe(const FoundPlugin& plugin, Survey& survey) {
  Json out = {{"schema", "muster.inspect/1"},
              {"path", plugin.path},
              {"id", plugin.entry.id},
              {"version", plugin.entry.version},
              {"vendor", plugin.entry.vendor},
              {"abi", fmt::format("{}.{}", plugin.entry.abi_major, plugin.entry.abi_minor)},
              {"needs_runtime_abi",
               fmt::format("{}.{}", plugin.entry.abi_major, plugin.entry.min_host_minor)},
              {"build_tag", plugin.entry.build_tag},
              {"interfaces", plugin.entry.interfaces},
              {"probe_env", plugin.entry.probe_env},
              {"probe_files", plugin.entry.probe_files},
              {"state", plugin_state_name(plugin.state)}};
  if (!plugin.reason.empty()) {
    out["stage"] = stage_name(plugin.stage);
    out["reason"] = plugin.reason;
    if (!plugin.source.empty()) out["source"] = plugin.source;
  }
  if (plugin.state != PluginState::kUsable) return out;
  out["facts"] = plugin.facts;
  Result<std::unique_ptr<Plugin>> opened =
      Plugin::open(plugin, survey.config, survey.records, nullptr);
  if (!opened.ok()) {
    out["state"] = plugin_state_name(PluginState::kRefused);
    out["stage"] = stage_name(Stage::kLoad);
    out["reason"] = opened.status().message();
    return out;
  }
  if ((*opened)->backend() != nullptr) {
    out["priority"] = (*opened)->backend()->priority;
    out["options"] = describe_options(**opened);
  }
  return out;
}

std::string plain(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array()) {
    std::string text;
    for (const Json& item : value) text += (text.empty() ? "" : " ") + plain(item);
    return text;
  }
  return json_text(value);
}

void print_text(const Json& json) {
  for (const auto& [key, value] : json.items()) {
    if (key == "schema") continue;
    if (key == "options") {
      for (const Json& option : value) {
        std::fputs(
            fmt::format("option             {} {} default '{}': {}\n", plain(option["name"]),
                        plain(option["type"]), plain(option["default"]), plain(option["help"]))
                .c_str(),
            stdout);
      }
    } else if (key == "facts") {
      for (const auto& [fact, text] : value.items()) {
        std::fputs(fmt::format("fact               {} {}\n", fact, plain(text)).c_str(), stdout);
      }
    } else {
      const std::string text = plain(value);
      std::fputs(fmt::format("{:<18} {}\n", key, text.empty() ? "-" : text).c_str(), stdout);
    }
  }
}

int run(const Options& options) {
  const bool is_file = options.what.find('/') != std::string::npos || options.what.ends_with(".so");
  auto survey = take_survey(!is_file);
  if (!survey.ok()) return fail(survey.status());
  Survey& s = **survey;
  Json json;
  if (is_file) {
    char resolved[PATH_MAX];
    const char* const path = realpath(options.what.c_str(), resolved);
    if (path == nullptr) {
      return fail(Status(MUSTER_NOT_FOUND,
                         fmt::format("{}: {}", options.what, std::strerror(errno)),
                         "give a file's path"));
    }
    // A bare file is judged, never opened: what discovery would do with it, without its constructor
    // running here.
    FoundPlugin plugin = judge_file(path, s.config);
    if (plugin.state == PluginState::kUsable) plugin.state = PluginState::kUnprobed;
    json = describe(plugin, s);
  } else {
    const auto found = std::find_if(s.found.begin(), s.found.end(), [&](const FoundPlugin& plugin) {
      return plugin.entry.id == options.what;
    });
    if (found == s.found.end()) {
      return fail(Status(MUSTER_NOT_FOUND, fmt::format("no plugin has the id '{}'", options.what),
                         "muster list shows the ids; give a path with a slash for a file"));
    }
    json = describe(*found, s);
  }
  if (options.json) {
    std::puts(json_text(json, 2).c_str());
  } else {
    print_text(json);
  }
  const std::string state = json["state"];
  return state == plugin_state_name(PluginState::kUsable) ||
                 state == plugin_state_name(PluginState::kUnprobed)
             ? kOk
             : kFailed;
}

}  // namespace

void add_inspect(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("inspect", "One plugin: its entry record, options and facts");
  verb->add_option("plugin", options->what,
                   "A plugin's id, or the path of a file (which is not opened)")
      ->required();
  verb->add_flag("--json", options->json, "Print JSON (muster.inspect/1)");
  verb->callback([&context, options] { context.run = [options] { return run(*options); }; });
}

}  // namespace muster::cli

#include "config/environment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "config/backend_values.hpp"
#include "config/options.hpp"
#include "core/base/log.hpp"
#include "core/base/names.hpp"

namespace muster {
namespace {

constexpr std::string_view kBackendPrefix = "MUSTER_BACKEND_";
constexpr std::string_view kLogAlias = "MUSTER_LOG";
// Read by other parts of muster, or only handed on by them.
constexpr std::string_view kInternal[] = {"MUSTER_CONFIG"};
constexpr std::string_view kInternalPrefixes[] = {"MUSTER_LOCAL_", "MUSTER_PROBE_", "MUSTER_TEST_",
                                                  "MUSTER_BENCH_", "MUSTER_FAULT_"};

const Option* option_of(std::string_view variable) {
  if (variable == kLogAlias) return find_option("log.level");
  for (const Option& option : options()) {
    if (variable_of(option) == variable) return &option;
  }
  return nullptr;
}

bool is_internal(std::string_view variable) {
  return std::find(std::begin(kInternal), std::end(kInternal), variable) != std::end(kInternal) ||
         std::any_of(std::begin(kInternalPrefixes), std::end(kInternalPrefixes),
                     [&](std::string_view prefix) { return variable.starts_with(prefix); });
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// Removes what `text` ends with.
bool strip_suffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix) || text.size() == suffix.size()) return false;
  text.remove_suffix(suffix.size());
  return true;
}

// False when the name is not that of a setting of a backend.
bool apply_backend(std::string_view variable, const std::string& text, Config& config,
                   std::optional<ValueProblem>& problem) {
  const Source source{Source::Kind::kEnvironment, std::string(variable)};
  std::string_view id = variable.substr(kBackendPrefix.size());
  // Looked for first: an option may well be named "mode" or "priority".
  const size_t option = id.find("_OPTIONS_");
  if (option != std::string_view::npos && option > 0) {
    const std::string name = lower(id.substr(option + std::string_view("_OPTIONS_").size()));
    BackendSettings& backend = config.backends[lower(id.substr(0, option))];
    problem = set_backend_option(backend, name, text, source);
  } else if (strip_suffix(id, "_PRIORITY")) {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool is_number = error == std::errc() && end == text.data() + text.size();
    problem =
        set_priority(config.backends[lower(id)], is_number ? Value(number) : Value(text), source);
  } else if (strip_suffix(id, "_MODE")) {
    problem = set_mode(config.backends[lower(id)], text, source);
  } else {
    return false;
  }
  return true;
}

void warn_unknown(std::string_view variable) {
  std::vector<std::string> known;
  for (const Option& option : options()) known.push_back(variable_of(option));
  known.emplace_back(kLogAlias);
  known.insert(known.end(), std::begin(kInternal), std::end(kInternal));
  const std::vector<std::string_view> names(known.begin(), known.end());
  const std::string_view nearest = nearest_name(variable, names);
  log_warn(nearest.empty() ? fmt::format("environment variable {} is not known", variable)
                           : fmt::format("environment variable {} is not known; did you mean {}?",
                                         variable, nearest));
}

}  // namespace

Status apply_environment(const std::map<std::string, std::string>& variables,
                         const std::string& home, Config& config) {
  for (const auto& [variable, text] : variables) {
    if (text.empty() || is_internal(variable)) continue;
    std::optional<ValueProblem> problem;
    if (const Option* option = option_of(variable)) {
      const auto full_name = variables.find(variable_of(*option));
      if (variable == kLogAlias && full_name != variables.end() && !full_name->second.empty()) {
        continue;
      }
      problem = set_option(config, *option, value_of_text(*option, text),
                           {Source::Kind::kEnvironment, variable}, home);
    } else if (!variable.starts_with(kBackendPrefix) ||
               !apply_backend(variable, text, config, problem)) {
      warn_unknown(variable);
    }
    if (problem) {
      return Status(problem->code, fmt::format("{}: {}", variable, problem->cause),
                    problem->remedy);
    }
  }
  return Status();
}

ConfigInputs config_inputs_from(const char* const* variables, bool elevated) {
  ConfigInputs inputs;
  inputs.system_file = "/etc/muster/muster.toml";
  std::string config_home;
  for (; variables != nullptr && *variables != nullptr; ++variables) {
    const std::string_view entry(*variables);
    const size_t equals = entry.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string name(entry.substr(0, equals));
    const std::string text(entry.substr(equals + 1));
    if (elevated && (name.starts_with("MUSTER_PLUGINS_") || name == "MUSTER_CONFIG" ||
                     name.find("_OPTIONS_") != std::string::npos || !name.starts_with("MUSTER_"))) {
      continue;
    }
    if (name == "MUSTER_CONFIG") inputs.required_file = text;
    if (name == "HOME" && text.starts_with('/')) inputs.home = text;
    if (name == "XDG_CONFIG_HOME" && text.starts_with('/')) config_home = text;
    if (name.starts_with("MUSTER_")) inputs.environment[name] = text;
  }
  if (config_home.empty() && !inputs.home.empty()) config_home = inputs.home + "/.config";
  if (!config_home.empty()) inputs.user_file = config_home + "/muster/muster.toml";
  return inputs;
}

}  // namespace muster

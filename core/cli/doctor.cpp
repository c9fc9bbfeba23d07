// `muster doctor`: one screen about this machine, to paste into a report.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/agree/rank_record.hpp"
#include "core/base/json_text.hpp"
#include "core/cli/command.hpp"
#include "core/cli/survey.hpp"
#include "core/explain/describe.hpp"
#include "muster/entry.h"

namespace muster::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string find_program(const std::string& name) {
  const char* const path = std::getenv("PATH");
  std::string rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const size_t colon = rest.find(':');
    const std::string candidate = rest.substr(0, colon) + "/" + name;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
    rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
  }
  return "not found";
}

std::string limit_text(int resource) {
  rlimit limit{};
  if (getrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0) return "unknown";
  return limit.rlim_cur == RLIM_INFINITY ? "unlimited" : std::to_string(limit.rlim_cur);
}

// Each line: what, what was found, and whether it is as it should be.
struct Finding {
  std::string what;
  std::string found;
  bool good = true;
};

int run(bool json) {
  std::vector<Finding> findings;
  utsname system{};
  uname(&system);
  findings.push_back({"muster", fmt::format("{} abi {}.{} {}", MUSTER_VERSION, MUSTER_ABI_MAJOR,
                                            MUSTER_ABI_MINOR, MUSTER_BUILD_TAG)});
  findings.push_back(
      {"system", fmt::format("{} {} {}", system.sysname, system.release, system.machine)});
  findings.push_back({"cores", std::to_string(std::thread::hardware_concurrency())});
  findings.push_back({"node", this_node()});
  findings.push_back({"open files", limit_text(RLIMIT_NOFILE)});
  findings.push_back({"locked memory", limit_text(RLIMIT_MEMLOCK)});
  findings.push_back({"mpirun", find_program("mpirun")});
  auto survey = take_survey(true);
  if (!survey.ok()) {
    findings.push_back({"configuration", survey.status().message(), false});
  } else {
    Survey& s = **survey;
    open_plugins(s);
    findings.push_back({"configuration", s.config.files.empty()
                                             ? "defaults only"
                                             : fmt::format("{}", fmt::join(s.config.files, " "))});
    for (const std::string& directory : s.directories) {
      const bool exists = std::filesystem::is_directory(directory);
      findings.push_back({"plugin directory", directory + (exists ? "" : "  (missing)"), exists});
    }
    for (const Record& record : s.records.all()) {
      // Directories are above.
      if (!is_configured_in_vain(record) || record.subject.starts_with('/')) continue;
      findings.push_back({"configuration",
                          fmt::format("{}: {}: {}", record.source, record.subject, record.reason),
                          false});
    }
    size_t usable = 0;
    for (const FoundPlugin& plugin : s.found) {
      // A plugin of devices that this machine does not have is in order.
      const bool good = plugin.state == PluginState::kUsable || plugin.state == PluginState::kOff ||
                        plugin.state == PluginState::kUnavailable;
      usable += plugin.state == PluginState::kUsable ? 1 : 0;
      findings.push_back(
          {"plugin " + (plugin.entry.id.empty() ? std::string("?") : plugin.entry.id),
           fmt::format("{} {} {}{}", plugin.entry.version, plugin_state_name(plugin.state),
                       plugin.path, plugin.reason.empty() ? "" : "  (" + plugin.reason + ")"),
           good});
    }
    if (usable == 0) findings.push_back({"plugins", "none can be used", false});
  }
  const auto bad =
      std::count_if(findings.begin(), findings.end(), [](const Finding& f) { return !f.good; });
  if (json) {
    Json out = {{"schema", "muster.doctor/1"}, {"healthy", bad == 0}, {"findings", Json::array()}};
    for (const Finding& f : findings)
      out["findings"].push_back({{"what", f.what}, {"found", f.found}, {"good", f.good}});
    std::puts(json_text(out, 2).c_str());
  } else {
    for (const Finding& f : findings) {
      std::fputs(fmt::format("{:<2} {:<18} {}\n", f.good ? "ok" : "!!", f.what, f.found).c_str(),
                 stdout);
    }
    std::fputs(fmt::format("{} findings, {} need attention\n", findings.size(), bad).c_str(),
               stdout);
  }
  return bad == 0 ? kOk : kFailed;
}

}  // namespace

void add_doctor(CLI::App& app, Context& context) {
  auto json = std::make_shared<bool>(false);
  CLI::App* verb =
      app.add_subcommand("doctor", "One screen about this machine, to paste into a report");
  verb->add_flag("--json", *json, "Print JSON (muster.doctor/1)");
  verb->callback([&context, json] { context.run = [json] { return run(*json); }; });
}

}  // namespace muster::cli

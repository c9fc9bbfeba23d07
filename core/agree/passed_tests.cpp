#include "core/agree/passed_tests.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/digest.hpp"
#include "core/base/json_text.hpp"
#include "core/chain/chain.hpp"
#include "core/discover/own_place.hpp"

namespace muster {
namespace {

using Json = nlohmann::json;

constexpr int kFormat = 1;
constexpr size_t kMostKept = 64;  // per plugin; the oldest are dropped

// The build: its version does not change while it is worked on.
std::string build_text() {
  static const std::string text = [] {
    struct stat status {};
    if (stat(own_file().c_str(), &status) != 0) return std::string();
    return fmt::format("{} {} {}.{}", MUSTER_VERSION, status.st_size, status.st_mtim.tv_sec,
                       status.st_mtim.tv_nsec);
  }();
  return text;
}

// The keys of a file, oldest first.
std::vector<std::string> read_keys(const std::string& file, const std::string& identity) {
  try {
    const Json json = parse_json(read_small_file(file));
    if (json.at("format") == kFormat && json.at("plugin") == identity) {
      return json.at("passed").get<std::vector<std::string>>();
    }
  } catch (const Json::exception&) {
    return {};
  }
  return {};
}

}  // namespace

PassedTests::PassedTests(const Config& config, const ReadyPacks& kernels) : directory_(config) {
  for (const auto& [pack, digest] : kernels) kernels_ += pack + " " + digest + "\n";
}

std::string PassedTests::key(const FoundPlugin& plugin,
                             const std::map<std::string, std::string>& options,
                             const std::vector<muster_rule>& rules, uint32_t ranks) const {
  std::string text = fmt::format("{}\n{}\n{} {}\n{}\n{} ranks", build_text(), kernels_, plugin.path,
                                 plugin.entry.version, plugin.identity, ranks);
  for (const auto& [name, value] : options) text += fmt::format("\n{} {}", name, value);
  for (const muster_rule& rule : rules) text += "\n" + rule_text(rule);
  return digest_of(text).text();
}

std::string PassedTests::file_of(const FoundPlugin& plugin) const {
  return plugin.identity.empty() ? std::string() : directory_.file_of(plugin.path, ".passed.json");
}

bool PassedTests::hold(const FoundPlugin& plugin, const std::string& key) const {
  const std::string file = file_of(plugin);
  if (file.empty()) return false;
  const std::vector<std::string> keys = read_keys(file, plugin.identity);
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

void PassedTests::add(const FoundPlugin& plugin, const std::string& key) const {
  const std::string file = file_of(plugin);
  if (file.empty()) return;
  // The ranks of a node write the same. Of two that add different keys at once one may be lost:
  // that test is made again.
  std::vector<std::string> keys = read_keys(file, plugin.identity);
  if (std::find(keys.begin(), keys.end(), key) != keys.end()) return;
  if (keys.size() >= kMostKept) keys.erase(keys.begin());
  keys.push_back(key);
  const Json json = {{"format", kFormat}, {"plugin", plugin.identity}, {"passed", keys}};
  directory_.replace(file, json_text(json, 1) + "\n");
}

}  // namespace muster

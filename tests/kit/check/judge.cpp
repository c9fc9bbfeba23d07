#include "tests/kit/check/judge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "muster/bootstrap.h"
#include "tests/kit/check/child.hpp"

namespace muster::check {
namespace {

using Json = nlohmann::json;

std::string text_of(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

// What a verb of the command prints as JSON; null when it prints none.
Json ask(const Setup& setup, std::vector<std::string> verb, Verdict& verdict) {
  Command command;
  command.out = setup.root + "/asked.json";
  command.err = setup.root + "/asked.err";
  command.arguments = {setup.command};
  command.arguments.insert(command.arguments.end(), verb.begin(), verb.end());
  const Ended ended = run_child(command, setup.limit_ms);
  const Json json = Json::parse(text_of(command.out), nullptr, false);
  if (json.is_object()) return json;
  verdict = {Outcome::kFailed,
             fmt::format("muster {} gave exit code {} and no answer: {}", fmt::join(verb, " "),
                         ended.code, text_of(command.err)),
             {}};
  return nullptr;
}

void look_for_others(const Setup& setup, Judgement& judgement) {
  const Json list = ask(setup, {"list", "--json"}, judgement.unique_id);
  if (list.is_null()) return;
  for (const Json& plugin : list.at("plugins")) {
    const std::string path = plugin.value("path", "");
    std::error_code error;
    if (plugin.value("id", "") != judgement.id ||
        std::filesystem::equivalent(path, setup.plugin, error)) {
      continue;
    }
    judgement.unique_id = {
        Outcome::kFailed, fmt::format("the id '{}' is that of {} as well", judgement.id, path), {}};
  }
}

}  // namespace

Judgement judge(const Setup& setup) {
  Judgement judgement;
  const Json found = ask(setup, {"inspect", setup.plugin, "--json"}, judgement.judged);
  if (found.is_null()) return judgement;
  judgement.id = found.value("id", "");
  judgement.version = found.value("version", "");
  const std::string state = found.value("state", "");
  if (state != "usable" && state != "unprobed") {
    judgement.judged = {Outcome::kFailed, found.value("reason", state), {}};
    return judgement;
  }
  const std::vector<std::string> interfaces = found.at("interfaces");
  judgement.own_launcher = std::find(interfaces.begin(), interfaces.end(),
                                     MUSTER_BOOTSTRAP_INTERFACE) != interfaces.end();
  look_for_others(setup, judgement);
  return judgement;
}

}  // namespace muster::check

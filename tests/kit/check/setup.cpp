#include "tests/kit/check/setup.hpp"

#include <fstream>
#include <nlohmann/json.hpp>

namespace muster::check {

void Setup::write() const {
  const nlohmann::json json = {
      {"plugin", plugin},     {"id", id},          {"command", command}, {"config", config},
      {"mpirun", mpirun},     {"ranks", ranks},    {"seed", seed},       {"limit_ms", limit_ms},
      {"probe_ms", probe_ms}, {"options", options}};
  std::ofstream(root + "/setup.json") << json.dump() << '\n';
}

Setup Setup::read(const std::string& root) {
  std::ifstream file(root + "/setup.json");
  const nlohmann::json json = nlohmann::json::parse(file);
  Setup setup;
  setup.root = root;
  json.at("plugin").get_to(setup.plugin);
  json.at("id").get_to(setup.id);
  json.at("command").get_to(setup.command);
  json.at("config").get_to(setup.config);
  json.at("mpirun").get_to(setup.mpirun);
  json.at("ranks").get_to(setup.ranks);
  json.at("seed").get_to(setup.seed);
  json.at("limit_ms").get_to(setup.limit_ms);
  json.at("probe_ms").get_to(setup.probe_ms);
  json.at("options").get_to(setup.options);
  return setup;
}

}  // namespace muster::check

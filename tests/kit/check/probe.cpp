// probe: in its time, and with facts that are the same each time.
#include <fmt/format.h>

#include <chrono>

#include "tests/kit/check/catalogue.hpp"
#include "tests/kit/check/plugin_file.hpp"
#include "tests/kit/check/verdict.hpp"

namespace muster::check {

std::string probe_budget(const Scene& scene) {
  PluginFile plugin(scene.setup);
  const auto before = std::chrono::steady_clock::now();
  plugin.probe();
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - before);
  if (static_cast<uint64_t>(took.count()) > scene.setup.probe_ms) {
    throw Failed(
        fmt::format("probe took {} ms, the budget is {} ms", took.count(), scene.setup.probe_ms));
  }
  return {};
}

std::string probe_facts(const Scene& scene) {
  PluginFile plugin(scene.setup);
  const auto facts = plugin.probe();
  size_t bytes = 0;
  for (const auto& [key, value] : facts) {
    bytes += key.size() + value.size();
    if (key.empty() ||
        key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.") != key.npos) {
      throw Failed(fmt::format("the key of a fact is '{}', not [a-z0-9_.]+", key));
    }
    for (const char c : value) {
      if (static_cast<unsigned char>(c) < ' ') {
        throw Failed(fmt::format("the fact {} holds a control character", key));
      }
    }
  }
  if (bytes > 4096) throw Failed(fmt::format("its facts take {} bytes of 4096", bytes));
  PluginFile second(scene.setup);
  if (plugin.probe() != facts || second.probe() != facts) {
    throw Failed("two probes of one machine give different facts");
  }
  return {};
}

}  // namespace muster::check

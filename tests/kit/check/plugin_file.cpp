#include "tests/kit/check/plugin_file.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/kit/check/rank_file.hpp"
#include "tests/kit/check/verdict.hpp"

namespace muster::check {

void* load(const std::string& path) {
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) throw Failed(dlerror());
  return library;
}

const muster_entry& entry_of(void* library) {
  const void* const entry = dlsym(library, MUSTER_PLUGIN_ENTRY_SYMBOL);
  if (entry == nullptr) throw Failed("it has no symbol " MUSTER_PLUGIN_ENTRY_SYMBOL);
  return *static_cast<const muster_entry*>(entry);
}

PluginFile::PluginFile(const Setup& setup) : entry_(entry_of(load(setup.plugin))) {
  const testing::Outcome opened = host_.take(entry_.open(host_.get(), &instance_));
  if (!opened.ok()) throw Failed("open failed: " + opened.cause);
  const auto* const table =
      static_cast<const muster_backend*>(entry_.get_interface(instance_, MUSTER_BACKEND_INTERFACE));
  for (uint32_t i = 0; table != nullptr && i < table->option_count; ++i) {
    const muster_option& option = MUSTER_AT(muster_option, table->options, i);
    host_.set_option(option.name, option.default_value == nullptr ? "" : option.default_value);
  }
  for (const auto& [name, value] : setup.options) host_.set_option(name, value);
}

PluginFile::~PluginFile() { entry_.close(instance_); }

const muster_backend& PluginFile::backend() const {
  const void* const table = entry_.get_interface(instance_, MUSTER_BACKEND_INTERFACE);
  if (table == nullptr) throw NotOffered("it has no " MUSTER_BACKEND_INTERFACE);
  return *static_cast<const muster_backend*>(table);
}

Facts PluginFile::probe() {
  testing::Outcome outcome;
  auto facts = host_.probe(backend(), instance_, &outcome);
  if (outcome.code == MUSTER_UNAVAILABLE) {
    throw NotOffered("nothing on this machine for it: " + outcome.cause);
  }
  if (!outcome.ok()) {
    throw Failed(fmt::format("probe failed: {} (code {})", outcome.cause, outcome.code));
  }
  return facts;
}

PluginFile::Offer PluginFile::offer(const std::string& bootstrap, const std::vector<Facts>& facts,
                                    muster_determinism determinism) {
  const auto said = host_.offer(backend(), instance_, {bootstrap, facts, determinism});
  if (!said.outcome.ok()) throw Failed("offer failed: " + said.outcome.cause);
  return {said.rules, fmt::format("{}", fmt::join(said.declined, "; "))};
}

namespace {

// Every rank's, in a world of processes.
std::vector<Facts> facts_of_ranks(const Scene& scene, const Facts& own) {
  const uint32_t rank = launched_rank();
  const auto file_of = [&](uint32_t r) { return fmt::format("{}/facts{}", scene.directory, r); };
  std::ofstream(file_of(rank) + ".new") << nlohmann::json(own).dump();
  std::filesystem::rename(file_of(rank) + ".new", file_of(rank));
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  std::vector<Facts> all;
  for (uint32_t r = 0; r < scene.setup.ranks; ++r) {
    while (!std::filesystem::exists(file_of(r))) {
      if (std::chrono::steady_clock::now() > until) {
        throw Failed(fmt::format("PEER_LOST: rank {} has not told its facts", r));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::ifstream file(file_of(r));
    all.push_back(nlohmann::json::parse(file).get<Facts>());
  }
  return all;
}

std::vector<muster_rule> on_host(PluginFile& plugin, const std::string& bootstrap,
                                 const std::vector<Facts>& facts) {
  PluginFile::Offer offer = plugin.offer(bootstrap, facts);
  if (offer.rules.empty()) {
    throw NotOffered(offer.declined.empty() ? "it offers nothing to this group"
                                            : "it declines: " + offer.declined);
  }
  std::erase_if(offer.rules, [](const muster_rule& rule) {
    return rule.memory != 0 && (rule.memory & MUSTER_BIT(MUSTER_HOST)) == 0;
  });
  if (offer.rules.empty()) throw NotOffered("it offers nothing on host memory");
  return offer.rules;
}

}  // namespace

std::vector<muster_rule> host_offer(const Scene& scene) {
  if (scene.threads != nullptr) return host_offer_to_threads(scene.setup);
  PluginFile plugin(scene.setup);
  return on_host(plugin, scene.setup.mpirun ? "mpi" : "local",
                 facts_of_ranks(scene, plugin.probe()));
}

std::vector<muster_rule> host_offer_to_threads(const Setup& setup) {
  PluginFile plugin(setup);
  return on_host(plugin, "threads", std::vector<Facts>(setup.ranks, plugin.probe()));
}

}  // namespace muster::check

#include "tests/gpu/scenario.hpp"

#include <algorithm>
#include <cstdio>
#include <memory>

#include "muster/muster.hpp"
#include "tests/gpu/captures.hpp"
#include "tests/gpu/runner.hpp"

namespace muster::gpu {
namespace {

// "blocking = false"
std::string nccl_option(const std::string& text) { return "backend.nccl.options." + text + "\n"; }

std::string config_of(const Scenario& scenario, const Settings& settings) {
  std::string text =
      "plugins.probe = \"in-process\"\ngroup.timeout_ms = 120000\nbackend.mpi.mode = \"off\"\n"
      "backend.nccl.options.float_min_max = true\n" +
      scenario.config;
  for (const char* const backend : {"cuda_peer", "nccl"}) {
    const std::string wanted = scenario.captures.empty() ? "nccl" : scenario.captures;
    if (backend != wanted) text += "backend." + std::string(backend) + ".mode = \"off\"\n";
  }
  if (!settings.nccl_file.empty()) text += nccl_option("library = \"" + settings.nccl_file + "\"");
  return text;
}

std::vector<DeviceCase> cases_of(const Scenario& scenario, const Settings& settings,
                                 uint32_t size) {
  const uint64_t small = std::min(settings.largest, uint64_t{4} << 20);  // the host checks it all
  if (scenario.alone) return self_cases(settings.seed, small);
  if (scenario.server != "nccl") return staged_cases(size, settings.seed, small);
  return nccl_cases(size, settings.seed,
                    {uint64_t{16} << 10, uint64_t{256} << 10, uint64_t{1} << 20, settings.largest});
}

void run_cases(api::Group& group, Device& device, const Scenario& scenario,
               const Settings& settings, Tally& tally) {
  DeviceRunner runner(group.get(), device, 2 * settings.largest, scenario.of_group);
  for (const DeviceCase& c : cases_of(scenario, settings, group.size())) {
    const ranks::Outcome outcome = runner.run(c);
    const bool as_asked = outcome.backend.empty() || outcome.backend == scenario.server;
    std::string cause = outcome.failure + outcome.wrong.first;
    if (!as_asked) cause += " served by " + outcome.backend;
    tally.expect(outcome.ok() && as_asked, text_of(c) + ": " + cause);
    if (outcome.failure.empty()) continue;
    group.abort();  // the ranks are apart
    return;
  }
}

// NCCL serves only after it gave known answers on device memory; how many, is worth knowing.
void expect_known_answers(const api::Runtime& runtime, Tally& tally) {
  const std::string records = runtime.describe();
  const size_t at = records.find("nccl of group gpu\",\n      \"verdict\": \"passed");
  tally.expect(at != std::string::npos, "no known answers of nccl");
  if (at == std::string::npos) return;
  const size_t reason = records.find("reason", at);
  std::printf("known answers of nccl: %s\n",
              records.substr(reason, records.find('\n', reason) - reason).c_str());
}

// What has become of the group's memory: nothing that fails, but worth knowing.
void print_registration(const api::Runtime& runtime) {
  const std::string records = runtime.describe();
  for (const char* const verdict : {"with nccl\"", "with nccl, which copies: "}) {
    const size_t at = records.find(verdict);
    if (at == std::string::npos) continue;
    const std::string line = records.substr(at, records.find('\n', at) - at);
    std::printf("memory of the group: registered? %s\n", line.c_str());
  }
}

// Two ranks on one device: nccl is out, and names both.
void expect_refusal(const api::Runtime& runtime, Tally& tally) {
  const bool named = runtime.describe().find("ranks 0 and 1 share device 0") != std::string::npos;
  tally.expect(named, "the ranks that share a device are not named");
}

}  // namespace

std::vector<Scenario> scenarios_for(uint32_t devices) {
  std::vector<Scenario> scenarios = {
      {"device plugin", "", false, false, true},
      {"one rank on a device", "", false, false, false, true, "self"},
      {"one device for two ranks", "", false, true, false, false, "composed(shm)"}};
  if (devices < 2) return scenarios;
  scenarios.push_back({"staged through the host", "backend.nccl.mode = \"off\"\n", false, false,
                       false, false, "composed(shm)"});
  scenarios.push_back({"nccl", ""});
  scenarios.push_back({"nccl, memory of the group", "", true});
  scenarios.push_back({"nccl, not blocking", nccl_option("blocking = false")});
  scenarios.push_back(
      {"nccl, few blocks", nccl_option("min_ctas = 1") + nccl_option("max_ctas = 4"), false});
  for (const char* const backend : {"nccl", "cuda_peer"}) {
    Scenario aborted;
    aborted.name = std::string(backend) + ", aborted captures";
    aborted.captures = backend;
    // All of its sizes are then those whose buffers become known.
    aborted.config = "backend.cuda_peer.options.algorithm = \"staged\"\n";
    scenarios.push_back(aborted);
  }
  return scenarios;
}

Tally run_rank(const Scenario& scenario, const Settings& settings, uint32_t rank) {
  Tally tally;
  try {
    api::RuntimeOptions options;
    const std::string config = config_of(scenario, settings);
    const uint32_t index = scenario.refused ? 0 : rank;
    options.config_text = config.c_str();
    options.device_plus_one = static_cast<int32_t>(index) + 1;
    api::Runtime runtime = api::Runtime::init(options);
    Device device(index);
    api::GroupOptions of_group;
    of_group.memory = MUSTER_CUDA;
    of_group.name = "gpu";
    api::Group group(runtime, of_group);
    if (scenario.refused) expect_refusal(runtime, tally);
    if (!scenario.captures.empty()) {
      expect_captures(group, device, scenario.captures, tally);
      return tally;
    }
    if (scenario.server == "nccl") expect_known_answers(runtime, tally);
    run_cases(group, device, scenario, settings, tally);
    if (scenario.of_group && rank == 0) print_registration(runtime);
  } catch (const std::exception& error) {
    tally.expect(false, error.what());
  }
  return tally;
}

}  // namespace muster::gpu

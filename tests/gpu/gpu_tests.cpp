// Tests of muster on real devices, all of them by one command:
//
//   gpu_tests [--library PATH] [--seed N] [--max-bytes N] [--only TEXT]
//
// Starts a world of one process per device for each scenario, and prints "N passed, M failed" at
// the end, with the causes. Exit code 0: all passed; 1: some failed; 77: there is no device.
#include <limits.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "plugins/cuda_driver/devices.hpp"
#include "tests/gpu/scenario.hpp"

namespace {

using muster::gpu::Scenario;
using muster::gpu::Settings;
using muster::gpu::Tally;

constexpr int kSkipped = 77;
constexpr const char* kResult = "gpu result";

std::string own_path() {
  std::array<char, PATH_MAX> path{};
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size() - 1);
  return length < 0 ? std::string() : std::string(path.data(), static_cast<size_t>(length));
}

std::string quoted(const std::string& text) { return "'" + text + "'"; }

void print(const Tally& tally, const std::string& who) {
  for (const std::string& cause : tally.causes)
    std::printf("FAILED %s: %s\n", who.c_str(), cause.c_str());
  std::printf("%s %llu %llu\n", kResult, static_cast<unsigned long long>(tally.passed),
              static_cast<unsigned long long>(tally.failed));
  std::fflush(stdout);
}

// Runs the processes of a scenario, passes their output on, and adds up what they say.
Tally run_scenario(const Scenario& scenario, size_t index, const Settings& settings,
                   uint32_t ranks) {
  const std::string self = own_path();
  std::string command = quoted(self) + " --scenario " + std::to_string(index) + " --seed " +
                        std::to_string(settings.seed) + " --max-bytes " +
                        std::to_string(settings.largest);
  if (!settings.nccl_file.empty()) command += " --library " + quoted(settings.nccl_file);
  if (!scenario.single && !scenario.alone) {
    const std::string launcher = self.substr(0, self.rfind('/')) + "/ranks_launch ";
    command = quoted(launcher.substr(0, launcher.size() - 1)) + " " + std::to_string(ranks) + " " +
              command;
  }
  Tally sum;
  FILE* const output = popen((command + " 2>&1").c_str(), "r");
  if (output == nullptr) {
    sum.expect(false, "cannot run " + command);
    return sum;
  }
  uint32_t answers = 0;
  std::array<char, 4096> line{};
  while (std::fgets(line.data(), line.size(), output) != nullptr) {
    unsigned long long passed = 0;
    unsigned long long failed = 0;
    if (std::sscanf(line.data(), "gpu result %llu %llu", &passed, &failed) == 2) {
      ++answers;
      sum.passed += passed;
      sum.failed += failed;
    } else {
      std::fputs(line.data(), stdout);
    }
  }
  const int status = pclose(output);
  const uint32_t expected = scenario.single || scenario.alone ? 1 : ranks;
  if (answers != expected || (status != 0 && sum.failed == 0))
    sum.expect(false, "a rank of '" + scenario.name + "' ended without an answer, status " +
                          std::to_string(status));
  for (const std::string& cause : sum.causes) std::printf("FAILED %s\n", cause.c_str());
  return sum;
}

int run_all(const Settings& settings, const std::string& only) {
  uint32_t devices = 0;
  try {
    const auto seen = muster::cuda::seen_devices(muster::cuda::Driver::initialised());
    devices = static_cast<uint32_t>(seen.size());
    for (const auto& device : seen)
      std::printf("device %s %s\n", device.name.c_str(), device.uuid.c_str());
  } catch (const muster::cuda::Error& error) {
    std::printf("skipped: %s\n", error.what());
    return kSkipped;
  }
  const std::vector<Scenario> scenarios = muster::gpu::scenarios_for(devices);
  uint64_t passed = 0;
  uint64_t failed = 0;
  for (size_t i = 0; i < scenarios.size(); ++i) {
    const Scenario& scenario = scenarios[i];
    if (scenario.name.find(only) == std::string::npos) continue;
    const uint32_t ranks = scenario.refused ? 2 : std::min(devices, 8u);
    const Tally tally = run_scenario(scenario, i, settings, ranks);
    std::printf("%-28s %llu passed, %llu failed\n", scenario.name.c_str(),
                static_cast<unsigned long long>(tally.passed),
                static_cast<unsigned long long>(tally.failed));
    std::fflush(stdout);
    passed += tally.passed;
    failed += tally.failed;
  }
  std::printf("gpu_tests on %u devices, seed %llu: %llu passed, %llu failed\n", devices,
              static_cast<unsigned long long>(settings.seed),
              static_cast<unsigned long long>(passed), static_cast<unsigned long long>(failed));
  return failed == 0 && passed != 0 ? 0 : 1;
}

// A rank of one scenario. Its index says which, on this machine.
int run_one(const Settings& settings, size_t index) {
  const uint32_t devices = muster::cuda::Driver::initialised().count_devices();
  const Scenario scenario = muster::gpu::scenarios_for(devices).at(index);
  const char* const text = std::getenv("MUSTER_LOCAL_RANK");
  const auto rank = static_cast<uint32_t>(text == nullptr ? 0 : std::atoi(text));
  const Tally tally = scenario.single ? muster::gpu::run_device_plugin()
                                      : muster::gpu::run_rank(scenario, settings, rank);
  print(tally, scenario.name + ", rank " + std::to_string(rank));
  return tally.failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  std::string only;
  int scenario = -1;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  CLI::App app("Tests of muster on real devices");
  app.add_option("--library", settings.nccl_file, "NCCL's file");
  app.add_option("--seed", settings.seed, "of the cases");
  app.add_option("--max-bytes", settings.largest, "of the largest calls");
  app.add_option("--only", only, "the scenarios with this in their name");
  app.add_option("--scenario", scenario, "be a rank of this scenario")->group("");
  CLI11_PARSE(app, argc, argv);
  return scenario < 0 ? run_all(settings, only) : run_one(settings, static_cast<size_t>(scenario));
}

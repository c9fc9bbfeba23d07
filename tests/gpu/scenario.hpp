// What gpu_tests runs: worlds of one process per device, each with a configuration and a kind of
// memory.
#ifndef MUSTER_TESTS_GPU_SCENARIO_HPP
#define MUSTER_TESTS_GPU_SCENARIO_HPP

#include <cstdint>
#include <string>
#include <vector>

namespace muster::gpu {

struct Scenario {
  std::string name;
  std::string config;           // TOML, beside what all have
  bool of_group = false;        // buffers of muster_mem_alloc
  bool refused = false;         // all ranks on device 0: nccl must decline, and nothing may hang
  bool single = false;          // one rank, the device plugin alone
  bool alone = false;           // one rank, a world of its own
  std::string server = "nccl";  // who must serve
  std::string captures;         // the backend whose captures are aborted by one rank
};

// Those that make sense on a machine of `devices` devices.
std::vector<Scenario> scenarios_for(uint32_t devices);

// Passed and failed checks of one rank, with the first causes.
struct Tally {
  uint64_t passed = 0;
  uint64_t failed = 0;
  std::vector<std::string> causes;

  void expect(bool ok, const std::string& cause) {
    ok ? ++passed : ++failed;
    if (!ok && causes.size() < 20) causes.push_back(cause);
  }
};

struct Settings {
  std::string nccl_file;  // of NCCL; "": as the loader finds it
  uint64_t seed = 1;
  uint64_t largest = uint64_t{32} << 20;
};

// This process's rank of a scenario, or the whole of a single one.
Tally run_rank(const Scenario& scenario, const Settings& settings, uint32_t rank);
Tally run_device_plugin();

}  // namespace muster::gpu

#endif

#include "core/cli/bench_peers.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace muster::cli {
namespace {

namespace fs = std::filesystem;
using Command = std::vector<std::string>;

struct Peer {
  const char* name;
  const char* package;  // whose absence leaves the program unbuilt
};
constexpr Peer kPeers[] = {
    {"openmpi", "libopenmpi-dev"}, {"mpich", "libmpich-dev"}, {"gloo", "libgloo-dev"}};

fs::path own_program() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error);
}

bool crowded(uint32_t ranks) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return false;
  return static_cast<uint32_t>(CPU_COUNT(&allowed)) < ranks;
}

Command launcher_of(const std::string& peer, uint32_t ranks) {
  const std::string n = std::to_string(ranks);
  if (peer == "gloo") return {own_program().string(), "run", "-n", n, "--"};
  if (peer == "mpich") return {"mpiexec.mpich", "-n", n};
  Command command = {"mpirun.openmpi", "-n", n, "--oversubscribe", "--bind-to", "none"};
  if (geteuid() == 0) command.emplace_back("--allow-run-as-root");
  // As people run it: ranks without a core of their own must not spin against each other.
  if (crowded(ranks)) command.insert(command.end(), {"--mca", "mpi_yield_when_idle", "1"});
  return command;
}

// What muster's own bench and the peers' programs understand alike.
Command measuring_arguments(const BenchOptions& options, const std::string& bind) {
  Command arguments = {options.op_name, "--sizes",
                       fmt::format("{}", fmt::join(options.sizes, ","))};
  const auto add = [&](const char* name, const std::string& value) {
    arguments.insert(arguments.end(), {name, value});
  };
  add("--dtype", options.dtype_name);
  add("--redop", options.redop_name);
  add("--loop", options.loop_name);
  add("--bind", bind);
  add("--seconds", fmt::format("{}", options.loop.seconds));
  if (options.loop.iterations != 0) add("--iterations", std::to_string(options.loop.iterations));
  if (options.loop.warmup != 0) add("--warmup", std::to_string(options.loop.warmup));
  if (options.in_place) arguments.emplace_back("--in-place");
  return arguments;
}

}  // namespace

Contender own_contender(const BenchOptions& options, const std::string& backend) {
  Contender own;
  own.name = backend.empty() ? "muster" : "muster " + backend;
  own.command = {own_program().string(), "bench", "--csv", "--ranks",
                 std::to_string(options.ranks.ranks)};
  const Command arguments = measuring_arguments(options, options.bind);
  own.command.insert(own.command.end(), arguments.begin(), arguments.end());
  const auto add = [&](const char* name, const std::string& value) {
    own.command.insert(own.command.end(), {name, value});
  };
  if (!options.ranks.device.empty()) {
    add("--device", options.ranks.device);
    if (options.ranks.devices != 0) add("--devices", std::to_string(options.ranks.devices));
    add("--depth", std::to_string(options.depth));
    add("--buffers", std::to_string(options.buffers));
    if (options.graph) own.command.emplace_back("--graph");
  }
  if (options.memory != "ordinary") add("--memory", options.memory);
  if (!backend.empty()) add("--backend", backend);
  if (options.variants != 0) add("--variants", std::to_string(options.variants));
  if (!options.ranks.config_file.empty()) add("--config", options.ranks.config_file);
  return own;
}

bool is_known_peer(const std::string& name) {
  return std::any_of(std::begin(kPeers), std::end(kPeers),
                     [&](const Peer& peer) { return name == peer.name; });
}

std::string known_peers() {
  std::vector<const char*> names;
  for (const Peer& peer : kPeers) names.push_back(peer.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

Result<std::vector<Contender>> contenders(const BenchOptions& options) {
  std::vector<Contender> all;
  for (const std::string& backend : options.ranks.backends)
    all.push_back(own_contender(options, backend));
  if (all.empty()) all.push_back(own_contender(options, ""));
  // Beside the command, in the build tree as in an installation.
  const fs::path directory =
      options.peers_directory.empty()
          ? own_program().parent_path().parent_path() / "libexec" / "muster" / "peers"
          : fs::absolute(options.peers_directory);
  for (const Peer& peer : kPeers) {
    const auto& asked = options.peers;
    if (std::find(asked.begin(), asked.end(), peer.name) == asked.end()) continue;
    const fs::path program = directory / fmt::format("{}_peer", peer.name);
    if (access(program.c_str(), X_OK) != 0) {
      return Status(MUSTER_NOT_FOUND,
                    fmt::format("peer {} has no program {}", peer.name, program.string()),
                    fmt::format("it is built with the tests where {} is installed, see "
                                "tests/bench/README.md; --peers-dir names another directory",
                                peer.package));
    }
    Contender contender;
    contender.name = peer.name;
    contender.command = launcher_of(peer.name, options.ranks.ranks);
    contender.command.push_back(program.string());
    contender.needs_store = contender.name == "gloo";
    // Rationale: gloo's own threads share a rank's core when it is bound, which costs it
    // milliseconds a call; unbound is how it is run.
    const Command arguments =
        measuring_arguments(options, contender.needs_store ? "none" : options.bind);
    contender.command.insert(contender.command.end(), arguments.begin(), arguments.end());
    all.push_back(std::move(contender));
  }
  return all;
}

}  // namespace muster::cli

// faults: what the other ranks see when one is gone, or does not come. The last rank is the one.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/kit/check/catalogue.hpp"
#include "tests/kit/check/rank_file.hpp"
#include "tests/kit/check/rank_world.hpp"
#include "tests/kit/check/verdict.hpp"
#include "tests/ranks/runner.hpp"

namespace muster::check {
namespace {

namespace fs = std::filesystem;

std::string told(const Scene& scene, uint32_t rank) {
  return fmt::format("{}/gave_up{}", scene.directory, rank);
}

// Calls until a call fails, which must be with this code, and then once more.
void call_until(RankGroup& group, const ranks::Case& c, muster_code code) {
  ranks::CallData data;
  data.prepare(c, group.world().rank(), group.world().size());
  ranks::Said said = nullptr;
  while (said.ok()) said = muster_execute(group.get(), &data.call());
  if (said.code != code) {
    throw Failed(fmt::format("the call that waits for the missing rank gave {} instead of {}: {}",
                             muster_code_name(said.code), muster_code_name(code), said.message));
  }
  const ranks::Said second = muster_execute(group.get(), &data.call());
  if (second.ok()) throw Failed("the next call of the broken group succeeded");
}

ranks::Case plain(const RankGroup& group) {
  ranks::Case c = group.meeting();
  c.mode = ranks::Mode::kExecute;
  return c;
}

}  // namespace

std::string faults_peer_lost(const Scene& scene) {
  if (scene.setup.mpirun) throw NotOffered("mpirun ends all ranks when one ends");
  if (scene.threads != nullptr) throw NotOffered("a thread cannot be lost (--in-process)");
  RankWorld world(scene);
  RankGroup group(world);
  const ranks::Case c = plain(group);
  run_cases(group, {c});
  if (world.rank() + 1 == world.size()) {
    // Its part is done; the process ends as if it had been killed, but for the exit code.
    write_verdict(scene, world.rank(), {});
    _exit(0);
  }
  call_until(group, c, MUSTER_PEER_LOST);
  group.destroy();
  return {};
}

std::string faults_deadline(const Scene& scene) {
  RankWorld world(scene, "group.timeout_ms = 700\n");
  RankGroup group(world);
  const ranks::Case c = plain(group);
  run_cases(group, {c});
  if (world.rank() + 1 < world.size()) {
    try {
      call_until(group, c, MUSTER_DEADLINE_EXCEEDED);
    } catch (...) {
      std::ofstream(told(scene, world.rank())) << '\n';
      throw;
    }
    std::ofstream(told(scene, world.rank())) << '\n';
  }
  // The last rank stays away, and nobody leaves, until all others have given up: whoever is still
  // waiting would find that one is gone.
  for (uint32_t r = 0; r + 1 < world.size(); ++r) {
    while (!fs::exists(told(scene, r))) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  group.destroy();
  return {};
}

}  // namespace muster::check

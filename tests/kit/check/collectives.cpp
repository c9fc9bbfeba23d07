// collectives, memory and order: the matrix of tests/ranks, reduced to the calls that the plugin
// serves.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "tests/kit/check/catalogue.hpp"
#include "tests/kit/check/plugin_file.hpp"
#include "tests/kit/check/rank_world.hpp"
#include "tests/kit/check/verdict.hpp"
#include "tests/ranks/selection.hpp"
#include "tests/ranks/shared_memory.hpp"
#include "tests/ranks/values.hpp"

namespace muster::check {

std::string collectives(const Scene& scene) {
  RankWorld world(scene);
  RankGroup group(world);
  std::vector<ranks::Case> cases = ranks::pairwise_cases(world.size(), scene.setup.seed);
  std::erase_if(cases,
                [&](const ranks::Case& c) { return muster_op_name(c.op) != scene.argument; });
  run_cases(group, cases);
  group.destroy();
  return {};
}

std::string memory_registered(const Scene& scene) {
  constexpr uint64_t kBlock = 1 << 20;
  host_offer(scene);
  if (PluginFile(scene.setup).backend().memory_register == nullptr) {
    throw NotOffered("it has no memory_register");
  }
  RankWorld world(scene);
  RankGroup group(world);
  std::vector<ranks::Case> cases = ranks::pairwise_cases(world.size(), scene.setup.seed);
  std::erase_if(cases, [&](const ranks::Case& c) {
    return c.elements() * ranks::bytes_of(c.dtype) * world.size() * 2 > kBlock;
  });
  ranks::place_in_shared_memory(cases);
  {
    ranks::SharedMemory shared(group.get(), 24, kBlock);
    run_cases(group, cases, &shared);
  }
  group.destroy();
  return {};
}

std::string order_in_flight(const Scene& scene) {
  constexpr uint64_t kCalls = 6;
  RankWorld world(scene);
  RankGroup group(world);
  const ranks::Case meeting = group.meeting();
  std::vector<ranks::CallData> data(kCalls);
  std::vector<muster_work*> works;
  for (uint64_t i = 0; i < kCalls; ++i) {
    ranks::Case c = meeting;
    c.seed = ranks::mix(scene.setup.seed, i);
    if (c.count != 0) c.count = 1 + ranks::mix(c.seed, 1u) % 5000;
    data[i].prepare(c, world.rank(), world.size());
    muster_work* work = nullptr;
    need(muster_start(group.get(), &data[i].call(), &work),
         fmt::format("call {} of {}", i, kCalls));
    works.push_back(work);
  }
  // The last first: nothing may depend on who is asked for.
  std::string failure;
  for (uint64_t i = kCalls; i-- > 0;) {
    const ranks::Said said = muster_work_wait(works[i]);
    muster_work_release(works[i]);
    if (!said.ok() && failure.empty()) failure = said.message;
    ranks::Wrong wrong;
    if (said.ok()) data[i].check(false, wrong);
    if (wrong.count != 0 && failure.empty()) failure = "wrong data: " + wrong.first;
  }
  if (!failure.empty()) {
    throw Failed(
        fmt::format("{} calls of {} in flight: {}", kCalls, muster_op_name(meeting.op), failure));
  }
  group.destroy();
  return {};
}

}  // namespace muster::check

// contract: calls across the boundary, of both sides, against the tag lines of the headers.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "tests/kit/check/catalogue.hpp"
#include "tests/kit/check/checked_plugin.hpp"
#include "tests/kit/check/plugin_file.hpp"
#include "tests/kit/check/rank_world.hpp"
#include "tests/kit/check/tag_lines.hpp"
#include "tests/kit/check/verdict.hpp"
#include "tests/ranks/selection.hpp"

namespace muster::check {
namespace {

void live(const Scene& scene, const muster_entry* guarded) {
  RankWorld world(scene, {}, guarded);
  RankGroup group(world);
  std::vector<ranks::Case> cases = ranks::pairwise_cases(world.size(), scene.setup.seed);
  std::erase_if(cases, [](const ranks::Case& c) { return c.elements() > 20000; });
  run_cases(group, cases);
  void* memory = nullptr;
  need(muster_mem_alloc(group.get(), 1 << 16, MUSTER_HOST, &memory), "muster_mem_alloc");
  need(muster_mem_free(group.get(), memory), "muster_mem_free");
  group.destroy();
}

// A group that the plugin prepares on every rank and connects on none, then one that it serves.
void set_up_twice(const Scene& scene, const muster_entry* guarded) {
  RankWorld world(scene, {}, guarded);
  fail_set_up(true);
  // Without any other backend there is no group; the ranks hear why.
  muster_group* half_made = nullptr;
  const ranks::Said said = muster_group_create(world.get(), nullptr, nullptr, 0, &half_made);
  if (said.ok()) need(muster_group_destroy(half_made), "muster_group_destroy");
  if (!said.ok() && said.code != MUSTER_UNAVAILABLE) need(said, "the group that fails on a rank");
  fail_set_up(false);
  RankGroup group(world);
  run_cases(group, {group.meeting()});
  group.destroy();
}

// What went wrong, once the body is over: a breach goes before what came of it.
std::string unbreached(const std::function<void()>& body) {
  try {
    body();
  } catch (const std::exception&) {
    if (first_breach().empty()) throw;
  }
  if (const std::string breach = first_breach(); !breach.empty()) throw Failed(breach);
  return {};
}

// Values that a newer runtime may know: a status is an answer, and so is "as before".
void offer_for_the_unknown(const Scene& scene) {
  PluginFile plugin(scene.setup);
  const std::vector<Facts> facts(scene.setup.ranks, plugin.probe());
  for (const char* const bootstrap : {"local", "of_tomorrow"}) {
    try {
      plugin.offer(bootstrap, facts, MUSTER_DETERMINISM_END + 7);
    } catch (const Failed&) {
      // It says so.
    }
  }
}

void register_the_unknown(const ConnectedGroup& own) {
  if (own.backend->memory_register == nullptr) return;
  alignas(64) static unsigned char memory[4096];
  void* const untouched = &memory[1];
  void* registration = untouched;
  const ranks::Said said = own.backend->memory_register(own.group, memory, sizeof(memory),
                                                        MUSTER_MEMORY_END + 7, &registration);
  if (said.ok()) throw Failed("it registered memory of a kind that nobody knows");
  if (registration != untouched) {
    throw Failed("memory_register failed and wrote to out_registration all the same");
  }
}

}  // namespace

std::string contract_unknown_values(const Scene& scene) {
  if (scene.threads != nullptr) throw NotOffered("ranks of their own are needed (--in-process)");
  host_offer(scene);
  offer_for_the_unknown(scene);
  RankWorld world(scene, {}, guard_plugin(entry_of(load(scene.setup.plugin))));
  RankGroup group(world);
  const ranks::Case meeting = group.meeting();
  run_cases(group, {meeting});
  register_the_unknown(connected_group());
  run_cases(group, {meeting});
  group.destroy();
  return {};
}

std::string contract_alone(const Scene& scene) {
  if (scene.threads != nullptr) throw NotOffered("ranks of their own are needed (--in-process)");
  host_offer(scene);
  const muster_entry* const guarded = guard_plugin(entry_of(load(scene.setup.plugin)));
  return unbreached([&] {
    one_by_one(scene.directory, scene.setup.limit_ms / 4);
    RankWorld world(scene, {}, guarded);
    RankGroup group(world);
    run_cases(group, {group.meeting()});
    group.destroy();
  });
}

std::string contract_half_made(const Scene& scene) {
  if (scene.threads != nullptr) throw NotOffered("ranks of their own are needed (--in-process)");
  host_offer(scene);
  set_up_twice(scene, guard_plugin(entry_of(load(scene.setup.plugin))));
  return {};
}

std::string contract_tag_lines(const Scene& scene) {
  host_offer(scene);
  const muster_entry* const guarded = guard_plugin(entry_of(load(scene.setup.plugin)));
  return unbreached([&] { live(scene, guarded); });
}

}  // namespace muster::check

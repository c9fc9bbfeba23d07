// contract: calls across the boundary, of both sides, against the tag lines of the headers.
#include <algorithm>
#include <functional>

#include "tests/kit/check/catalogue.hpp"
#include "tests/kit/check/checked_plugin.hpp"
#include "tests/kit/check/plugin_file.hpp"
#include "tests/kit/check/rank_world.hpp"
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

}  // namespace

std::string contract_half_made(const Scene& scene) {
  if (scene.threads != nullptr) throw NotOffered("ranks of their own are needed (--in-process)");
  host_offer(scene);
  set_up_twice(scene, guard_plugin(entry_of(load(scene.setup.plugin))));
  return {};
}

std::string contract_tag_lines(const Scene& scene) {
  host_offer(scene);
  const muster_entry* const guarded = guard_plugin(entry_of(load(scene.setup.plugin)));
  try {
    live(scene, guarded);
  } catch (const std::exception&) {
    // What was breached goes before what came of it.
    if (first_breach().empty()) throw;
  }
  if (const std::string breach = first_breach(); !breach.empty()) throw Failed(breach);
  return {};
}

}  // namespace muster::check

// lifecycle: instances and groups come and go.
#include <fmt/format.h>

#include <filesystem>
#include <iterator>
#include <memory>

#include "tests/kit/check/catalogue.hpp"
#include "tests/kit/check/plugin_file.hpp"
#include "tests/kit/check/rank_world.hpp"
#include "tests/kit/check/verdict.hpp"

namespace muster::check {

namespace {

int64_t threads() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                       std::filesystem::directory_iterator());
}

}  // namespace

std::string lifecycle_open_close(const Scene& scene) {
  const int64_t before = threads();
  {
    PluginFile first(scene.setup);
    if (threads() != before) throw Failed("it started a thread before any group");
    const auto second = std::make_unique<PluginFile>(scene.setup);
    // What has no backend may have nothing that belongs to a runtime.
    const bool backend = first.entry().get_interface(first.instance(), MUSTER_BACKEND_INTERFACE);
    if (backend && first.instance() == second->instance()) {
      throw Failed("two instances are one: what belongs to a runtime must not be shared");
    }
  }
  PluginFile again(scene.setup);
  if (const int left = testing::FakeHost::live_statuses(); left != 0) {
    throw Failed(fmt::format("{} statuses were made and not released", left));
  }
  return {};
}

std::string lifecycle_null(const Scene& scene) {
  PluginFile plugin(scene.setup);
  plugin.entry().close(nullptr);
  plugin.backend().group_destroy(nullptr);
  return {};
}

std::string lifecycle_groups(const Scene& scene) {
  host_offer(scene);
  RankWorld world(scene);
  for (int round = 0; round < 2; ++round) {
    RankGroup one(world);
    const ranks::Case meeting = one.meeting();
    RankGroup other(world);
    // Its own groups of one kind are alike: what serves the one serves the other.
    if (!other.serves(meeting)) throw Failed("it serves one group and not the next");
    for (RankGroup* const group : {&one, &other}) run_cases(*group, {meeting});
    one.destroy();
    run_cases(other, {meeting});
    other.destroy();
  }
  return {};
}

}  // namespace muster::check

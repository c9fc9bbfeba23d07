// capture: graph phases of host calls, where a rule takes them.
#include <fmt/format.h>

#include "tests/kit/check/catalogue.hpp"
#include "tests/kit/check/rank_world.hpp"
#include "tests/kit/check/verdict.hpp"

namespace muster::check {
namespace {

// Begins a phase, and runs the case if it is served in it.
bool run_in(RankGroup& group, const ranks::Case& c, muster_phase phase) {
  need(muster_graph_begin(group.get(), phase), fmt::format("begin of phase {}", phase));
  if (!group.serves(c)) return false;
  run_cases(group, {c});
  return true;
}

void skip_unless_served(RankGroup& group, const ranks::Case& c) {
  const bool served = run_in(group, c, MUSTER_GRAPH_WARMUP);
  need(muster_graph_end(group.get(), 1), "end of the warm-up");
  if (served) return;
  throw NotOffered("it offers no host call in a captured graph");
}

}  // namespace

std::string capture_phases(const Scene& scene) {
  RankWorld world(scene);
  RankGroup group(world);
  ranks::Case c = group.meeting();
  c.mode = ranks::Mode::kExecute;
  skip_unless_served(group, c);
  if (!run_in(group, c, MUSTER_GRAPH_CAPTURE)) {
    throw Failed("it serves the warm-up and not the capture");
  }
  need(muster_graph_end(group.get(), 1), "end of the capture");
  run_cases(group, {c});
  group.destroy();
  return {};
}

std::string capture_aborted(const Scene& scene) {
  RankWorld world(scene);
  RankGroup group(world);
  ranks::Case c = group.meeting();
  c.mode = ranks::Mode::kExecute;
  skip_unless_served(group, c);
  run_in(group, c, MUSTER_GRAPH_CAPTURE);
  // One rank gives up: all hear of it, and the group goes on.
  const ranks::Said ended = muster_graph_end(group.get(), world.rank() == 0 ? 0 : 1);
  if (ended.code != MUSTER_ABORTED) {
    throw Failed(fmt::format("the end of a capture that rank 0 gave up said {}",
                             muster_code_name(ended.code)));
  }
  run_cases(group, {c});
  run_in(group, c, MUSTER_GRAPH_CAPTURE);
  need(muster_graph_end(group.get(), 1), "end of the second capture");
  group.destroy();
  return {};
}

}  // namespace muster::check

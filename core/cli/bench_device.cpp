#include "core/cli/bench_device.hpp"

#include <algorithm>

namespace muster::cli {
namespace {

constexpr uint32_t kFewestSamples = 11;
constexpr uint32_t kMostSamples = 1001;

using Placements = std::vector<std::unique_ptr<Placement>>;

Status enqueue(muster_group* group, const Placements& placements, uint32_t calls) {
  for (uint32_t i = 0; i < calls; ++i) {
    MUSTER_TRY(Status(muster_execute(group, &placements[i % placements.size()]->call())));
  }
  return Status();
}

// Calls of the group, recorded while the group is in its graph phase.
Result<std::unique_ptr<DeviceRun::Graph>> record(DeviceRun& device, muster_group* group,
                                                 const Placements& placements, uint32_t calls) {
  MUSTER_TRY(Status(muster_graph_begin(group, MUSTER_GRAPH_CAPTURE)));
  auto graph = device.record([&] { return enqueue(group, placements, calls); });
  // Whether it succeeded or not: the ranks agree on it.
  Status ended(muster_graph_end(group, graph.ok() ? 1 : 0));
  if (graph.ok() && !ended.ok()) return ended;
  return graph;
}

// As many samples as fit, told from one.
Result<std::vector<double>> sample(Session& session, const BenchOptions& options,
                                   const std::function<Result<double>()>& once) {
  if (Result<std::vector<double>> warm = session.time_samples(2, once); !warm.ok()) return warm;
  Result<std::vector<double>> first = session.time_samples(1, once);
  if (!first.ok()) return first;
  uint32_t samples = options.loop.iterations;
  if (samples == 0) {
    const double each = std::max(first->front() * options.depth, 1.0);
    samples = static_cast<uint32_t>(std::clamp(options.loop.seconds * 1e6 / each,
                                               double{kFewestSamples}, double{kMostSamples}));
  }
  return session.time_samples(samples, once);
}

}  // namespace

Status measure_on_device(Session& session, const BenchOptions& options, muster_group* group,
                         const Placements& placements, MeasuredRow& measured) {
  DeviceRun& device = *session.device();
  BenchRow& row = measured.row;
  const uint32_t depth = options.depth;
  std::unique_ptr<DeviceRun::Graph> graph;
  std::vector<double> host;
  if (options.graph) {
    auto single = record(device, group, placements, 1);
    if (!single.ok()) return single.take_status();
    Result<Checked> checked =
        session.check(*placements.front(), 2, [&] { return (*single)->launch(); });
    if (!checked.ok()) return checked.take_status();
    row.wrong += checked->wrong;
    if (measured.what_was_wrong.empty()) measured.what_was_wrong = checked->text();
    auto many = record(device, group, placements, depth);
    if (!many.ok()) return many.take_status();
    graph = std::move(*many);
  }
  const auto once = [&]() -> Result<double> {
    // What goes before lets the ranks' devices meet: the host's clocks are not about them.
    MUSTER_TRY(graph != nullptr ? graph->launch()
                                : enqueue(group, placements, std::max(depth / 5, 1u)));
    Result<double> us = device.time([&]() -> Status {
      if (graph != nullptr) return graph->launch();
      const auto start = LoopClock::now();
      MUSTER_TRY(enqueue(group, placements, depth));
      host.push_back(loop_microseconds(start, LoopClock::now()) / depth);
      return Status();
    });
    if (!us.ok()) return us;
    return *us / depth;
  };
  Result<std::vector<double>> times = sample(session, options, once);
  if (!times.ok()) return times.take_status();
  row.set_times(*times);
  row.host = median_of(host);
  return Status();
}

}  // namespace muster::cli

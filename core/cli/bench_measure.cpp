#include "core/cli/bench_measure.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/names.hpp"
#include "core/cli/bench_device.hpp"

namespace muster::cli {
namespace {

Status served_by_another(const BenchOptions& options, const BenchRow& row,
                         const std::string& backend) {
  return {MUSTER_UNAVAILABLE,
          fmt::format("{} of {} bytes is not served by {} but by {}", row.op, row.bytes, backend,
                      row.backend),
          fmt::format("muster explain {} --dtype {} --bytes {} --ranks {} says why", row.op,
                      options.dtype_name, row.bytes, row.ranks)};
}

}  // namespace

Result<MeasuredRow> measure(Session& session, const BenchOptions& options,
                            const std::string& backend, uint32_t variant, uint64_t bytes) {
  Result<muster_group*> group = session.group(backend, variant);
  if (!group.ok()) return group.take_status();
  const muster_op op = options.op;
  const uint64_t element = std::max<uint64_t>(dtype_size(options.dtype), 1);
  const uint64_t parts = size_is_whole(options.op_name) ? session.size() : 1;
  MeasuredRow measured;
  BenchRow& row = measured.row;
  row.op = options.op_name;
  row.dtype = options.dtype_name;
  row.redop = op_reduces(op) ? options.redop_name : "none";
  row.ranks = session.size();
  row.count = op == MUSTER_BARRIER ? 0 : bytes / element / parts;
  row.bytes = row.count * parts * element;
  row.in_place = options.in_place;
  DeviceRun* const device = session.device();
  row.loop = device == nullptr ? options.loop_name : options.graph ? "graph" : "stream";
  row.memory = options.memory;
  Exercise exercise(op, options.dtype, options.redop, row.count, session.rank(), session.size());
  PlacementOptions where;
  where.in_place = options.in_place;
  where.device = device;
  if (options.memory == "alloc") where.memory_of = *group;
  exercise.fill(0);
  std::vector<std::unique_ptr<Placement>> placements;
  for (uint32_t i = 0; i < (device == nullptr ? 1 : options.buffers); ++i) {
    auto made = Placement::make(exercise, session.rank(), session.size(), where);
    if (!made.ok()) return made.take_status();
    MUSTER_TRY((*made)->put());
    placements.push_back(std::move(*made));
  }
  Placement& placement = *placements.front();
  Result<std::string> served = session.backend_of(*group, placement.call());
  if (!served.ok()) return served.take_status();
  row.backend = *served;
  if (!backend.empty() && row.backend != backend &&
      row.backend != fmt::format("composed({})", backend)) {
    return served_by_another(options, row, backend);
  }
  for (uint64_t round = 0; round < 2; ++round) {
    Result<Checked> checked = session.check(*group, placement, round);
    if (!checked.ok()) return checked.take_status();
    row.wrong += checked->wrong;
    if (measured.what_was_wrong.empty()) measured.what_was_wrong = checked->text();
  }
  if (device != nullptr) {
    MUSTER_TRY(measure_on_device(session, options, *group, placements, measured));
    return measured;
  }
  Result<LoopTimes> times = session.time_each(*group, placement.call(), options.loop);
  if (!times.ok()) return times.take_status();
  row.set_times(times->us);
  row.floor = times->floor;
  return measured;
}

}  // namespace muster::cli

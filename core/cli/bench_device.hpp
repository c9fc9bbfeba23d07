// Times a call on a device: one of many in a row, since a single one is over before the host has
// noticed. Recorded once into a graph that is launched again and again, as inference engines do, or
// enqueued one by one.
#ifndef MUSTER_CORE_CLI_BENCH_DEVICE_HPP
#define MUSTER_CORE_CLI_BENCH_DEVICE_HPP

#include <memory>
#include <vector>

#include "core/cli/bench_measure.hpp"

namespace muster::cli {

// Checks the way in which the calls are timed, then times them; fills in the row's times. The
// placements, one at least, are used in rotation, so that no cache holds the data of the last call.
// [collective]
Status measure_on_device(Session& session, const BenchOptions& options, muster_group* group,
                         const std::vector<std::unique_ptr<Placement>>& placements,
                         MeasuredRow& measured);

}  // namespace muster::cli

#endif

// Runs muster-probe on one plugin file, in a process that the program cannot see: no SIGCHLD is
// sent, and its own wait(-1) never returns it.
//
// Rationale: a process that is exec'ed always reports SIGCHLD to its parent. So an intermediate
// process, made with no exit signal, starts muster-probe, watches it and ends it; it never execs,
// and shares the memory of this process (as vfork does: nothing is copied, which programs with
// pinned memory could not bear), while the calling thread sleeps until it ends. Signals that arrive
// meanwhile for this thread are delivered afterwards, at the latest when the budget is over.
//
// Any thread. Nothing is left running.
#ifndef MUSTER_CORE_DISCOVER_PROBE_CHILD_HPP
#define MUSTER_CORE_DISCOVER_PROBE_CHILD_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "core/discover/probe_report.hpp"

namespace muster {

// Where muster-probe writes its answer.
inline constexpr int kProbeDescriptor = 3;

// program: the path of muster-probe.
ProbeReport probe_in_child(const std::string& program, const std::string& plugin_path,
                           uint64_t budget_ms);

// The environment of muster-probe: this process's without what would make the plugin take part in
// the program's own MPI job or load what was preloaded into the program; everything bound at load.
std::vector<std::string> probe_environment(const char* const* environment);

}  // namespace muster

#endif

// Opens a plugin's instance against a minimal runtime, asks its backend to probe, and closes it:
// what muster-probe does, and the runtime itself when plugins.probe is "in-process" or the plugin
// is linked into the program.
//
// The minimal runtime makes statuses, drops log lines and records, gives the declared defaults of
// options, has no kernels, no further interfaces and no groups.
#ifndef MUSTER_CORE_DISCOVER_PROBE_HOST_HPP
#define MUSTER_CORE_DISCOVER_PROBE_HOST_HPP

#include "core/discover/discovery.hpp"
#include "core/discover/probe_report.hpp"
#include "muster/entry.h"

namespace muster {

// Where a probe is, said before each step, so that a crash can be placed.
enum class ProbeStep : char { kStart = 's', kLoad = 'l', kOpen = 'o', kProbe = 'p', kClose = 'c' };
const char* probe_step_name(ProbeStep step);

using ProbeProgress = void (*)(ProbeStep step);

// Probes an opened plugin. One thread per entry.
ProbeReport probe_entry(const muster_entry& entry, const EntryRecord& record,
                        ProbeProgress progress);

// Opens the file and probes it.
ProbeReport open_and_probe(const FoundPlugin& plugin, ProbeProgress progress);

}  // namespace muster

#endif

// What a probe found, as it travels from muster-probe to the runtime and as it is cached.
#ifndef MUSTER_CORE_DISCOVER_PROBE_REPORT_HPP
#define MUSTER_CORE_DISCOVER_PROBE_REPORT_HPP

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/kernels/pack_report.hpp"

namespace muster {

enum class ProbeVerdict {
  kUsable,
  kUnavailable,  // said so itself
  kLoadFailed,   // could not be opened
  kBroken,       // opened, but breaks the contract: no table, a wrong fact, an exception
  kCrashed,
  kHung,
  kNotProbed  // the probe itself could not run, or was interrupted: nothing is known
};

struct ProbeReport {
  ProbeVerdict verdict = ProbeVerdict::kNotProbed;
  std::string reason;    // "" when usable
  bool loading = false;  // decided while the file was loaded, before any of its functions ran
  std::map<std::string, std::string> facts;
  std::optional<PackReport> kernels;  // of a plugin that gives muster.kernels/1
};

const char* probe_verdict_name(ProbeVerdict verdict);
std::optional<ProbeVerdict> probe_verdict_from_name(std::string_view name);

// One line of JSON, without the line end. Text that is not UTF-8 is made so.
std::string write_report(const ProbeReport& report);
std::optional<ProbeReport> read_report(std::string_view line);

}  // namespace muster

#endif

// Discovery: finds plugin files, judges them from their ELF files without opening them, and probes
// in a child what has not been seen before. Only what may be used is opened later (loader.hpp).
//
// Thread rule: discover() may run on several threads (one per runtime); opening is serialised by
// the loader's mutex.
#ifndef MUSTER_CORE_DISCOVER_DISCOVERY_HPP
#define MUSTER_CORE_DISCOVER_DISCOVERY_HPP

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "core/base/records.hpp"
#include "core/base/status.hpp"
#include "core/kernels/pack_report.hpp"
#include "muster/entry.h"

namespace muster {

// The frozen part of an entry record, as read from the file.
struct EntryRecord {
  uint32_t struct_size = 0;
  uint32_t abi_major = 0;
  uint32_t abi_minor = 0;
  uint32_t min_host_minor = 0;
  std::string id;
  std::string version;
  std::string vendor;
  std::string build_tag;
  std::vector<std::string> interfaces;
  std::vector<std::string> probe_env;
  std::vector<std::string> probe_files;

  bool gives(std::string_view interface) const;
};

enum class PluginState {
  kUsable,       // judged good and probed (or probing is off): may be opened
  kUnprobed,     // judged good, never probed; only when the caller asked not to probe
  kOff,          // switched off by the configuration
  kRefused,      // by the judgement of the file: never opened
  kUnavailable,  // probed: loads, but nothing on this machine for it
  kQuarantined   // probed: crashed, hung or could not be loaded; until the file changes
};
const char* plugin_state_name(PluginState state);

struct FoundPlugin {
  std::string path;  // canonical; "/muster-in-process/<n>/<id>.so" for in-process entries
  const muster_entry* in_process = nullptr;
  EntryRecord entry;  // what could be read; id may be empty
  PluginState state = PluginState::kRefused;
  Stage stage = Stage::kDiscover;            // where the state was decided
  std::string reason;                        // "" when usable
  std::string source;                        // the configuration line, when it decided
  std::map<std::string, std::string> facts;  // of the cached or fresh probe
  std::optional<PackReport> kernels;         // likewise: what it has of muster.kernels/1
  // What its verdict depends on (VerdictCache::identity_of); "" for in-process entries and whatever
  // is not usable.
  std::string identity;
};

struct DiscoveryInputs {
  const Config* config = nullptr;
  std::vector<std::string> directories;  // in order; see plugin_directories
  std::span<const muster_entry* const> in_process;
  bool probe = true;  // false: report cached verdicts or kUnprobed, open nothing
};

// The configured directories, then the installed one (found relative to the file that this code is
// in).
std::vector<std::string> plugin_directories(const Config& config);

// Everything found, usable or not, in order: in-process entries first, then directories in order,
// files sorted by name. Of two usable plugins with one id the first wins and the later is refused.
// Every verdict is added to records.
std::vector<FoundPlugin> discover(const DiscoveryInputs& inputs, Records& records);

// Judges one file without opening it, as discover does (for `muster inspect FILE`). Never fails:
// the state says what is wrong.
FoundPlugin judge_file(const std::string& path, const Config& config);

}  // namespace muster

#endif

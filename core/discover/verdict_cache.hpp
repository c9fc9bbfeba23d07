// The verdicts of earlier probes, one small JSON file per plugin in a directory of the user's.
//
// A verdict holds while the file (path, size, mtime, inode, build id), the version of muster, the
// boot, the environment variables and the files that the entry declares are as they were. A crash
// or hang holds until the file itself changes; a file that could not be opened is tried again also
// when the loader's search path, its cache or the plugin's directory changed. A file of the cache
// that cannot be read counts as none and is written again.
//
// Any thread, any number of processes: files are replaced as a whole, and Lock serialises those who
// would probe the same plugin.
#ifndef MUSTER_CORE_DISCOVER_VERDICT_CACHE_HPP
#define MUSTER_CORE_DISCOVER_VERDICT_CACHE_HPP

#include <cstdint>
#include <optional>
#include <string>

#include "config/config.hpp"
#include "core/discover/cache_directory.hpp"
#include "core/discover/judgement.hpp"
#include "core/discover/probe_report.hpp"

namespace muster {

class VerdictCache {
 public:
  // Touches nothing yet.
  explicit VerdictCache(const Config& config);

  std::optional<ProbeReport> load(const Judged& plugin) const;
  // Makes the directory when needed; when that fails, says so once per process and keeps nothing.
  void store(const Judged& plugin, const ProbeReport& report) const;
  // The file that holds the verdict of a plugin; "" when nothing is kept.
  std::string file_of(const Judged& plugin) const;
  // All that a good verdict depends on beside muster itself: file, boot, what the entry declares,
  // the loader's places.
  std::string identity_of(const Judged& plugin) const;

  // Held by the one who probes a plugin on this node. Waits for another holder as long as one probe
  // can last, then goes on without.
  class Lock {
   public:
    Lock(const VerdictCache& cache, const Judged& plugin);
    ~Lock();
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    int fd_ = -1;
  };

 private:
  CacheDirectory directory_;
  std::string boot_id_;
  uint64_t budget_ms_;
};

}  // namespace muster

#endif

// Where a user keeps what muster found out about plugins: verdicts of probes, passed tests. Small
// files, one per plugin and node, replaced as a whole.
//
// A directory that others can write to is not used. Any thread, any number of processes.
#ifndef MUSTER_CORE_DISCOVER_CACHE_DIRECTORY_HPP
#define MUSTER_CORE_DISCOVER_CACHE_DIRECTORY_HPP

#include <string>

#include "config/config.hpp"

namespace muster {

class CacheDirectory {
 public:
  // plugins.cache_dir, else the user's. Touches nothing yet.
  explicit CacheDirectory(const Config& config);

  // The file about a plugin; "" when nothing is kept.
  std::string file_of(const std::string& plugin_path, const char* suffix) const;
  // Makes the directory when needed; when that fails, says so once per process.
  bool prepare() const;
  // Puts the text in place of a file, prepare included. A failure is said once per process.
  void replace(const std::string& file, const std::string& text) const;

 private:
  std::string path_;  // "": nothing is kept
  std::string node_;
};

// At most 256 KiB of a file, never through a link; "" when there is none.
std::string read_small_file(const std::string& path);

}  // namespace muster

#endif

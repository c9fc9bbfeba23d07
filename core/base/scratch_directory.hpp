// A directory for files that nobody needs later: made empty, gone with all that is in it.
//
// One thread. Where TMPDIR says, else in /tmp.
#ifndef MUSTER_CORE_BASE_SCRATCH_DIRECTORY_HPP
#define MUSTER_CORE_BASE_SCRATCH_DIRECTORY_HPP

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "core/base/status.hpp"

namespace muster {

class ScratchDirectory {
 public:
  // purpose: part of its name.
  explicit ScratchDirectory(const std::string& purpose) {
    std::error_code error;
    const std::filesystem::path place = std::filesystem::temp_directory_path(error);
    std::string path = (place / ("muster-" + purpose + "-XXXXXX")).string();
    if (!error && mkdtemp(path.data()) != nullptr) path_ = path;
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  // "" when none could be made, which the status says.
  const std::string& path() const { return path_; }
  Status status() const {
    if (!path_.empty()) return Status();
    return Status(MUSTER_UNAVAILABLE, "no directory for temporary files can be made",
                  "set TMPDIR to a directory that you may write to");
  }

 private:
  std::string path_;
};

}  // namespace muster

#endif

// NCCL, opened at run time: a table of its functions, its version, and its errors in words.
//
// Each library is loaded once per process and never closed. Thread rule: any thread.
#ifndef MUSTER_PLUGINS_BACKENDS_NCCL_LIBRARY_HPP
#define MUSTER_PLUGINS_BACKENDS_NCCL_LIBRARY_HPP

#include <string>

#include "plugins/backends/nccl/api.hpp"

namespace muster::nccl {

// What not every version has, as bits: a group uses what all of its ranks have.
enum Feature : uint32_t {
  kFeatureAllToAll = 1u << 0,
  kFeatureGather = 1u << 1,
  kFeatureScatter = 1u << 2,
  kFeatureWindows = 1u << 3,
};

class Library {
 public:
  static constexpr int kOldest = 21800;
  static constexpr int kNewestMajor = 2;

  // A name that the loader looks for, or a path. Throws plugin::Failure (UNAVAILABLE) that names
  // the library, its version and the symbol or the loader's reason.
  static const Library& open(const std::string& name);
  // For the process, unless the environment says something about it. NCCL looks there once, at the
  // first communicator; there is no such field in its configuration of a communicator.
  static void switch_multicast_off();

  int version() const { return version_; }
  std::string version_text() const;  // "2.28.9"
  const std::string& path() const { return path_; }
  uint32_t features() const;

  // "unhandled cuda error: <what NCCL says of the last error>". comm may be NULL.
  std::string describe(Result result, Comm comm) const;
  // Throws: "ncclAllReduce: <describe>".
  [[noreturn]] void fail(Result result, const std::string& what, Comm comm) const;
  void check(Result result, const char* what, Comm comm) const {
    if (result != kSuccess) fail(result, what, comm);
  }

#define MUSTER_NCCL_FUNCTION(name, symbol, parameters) Result(*name) parameters = nullptr;
#define MUSTER_NCCL_OPTIONAL(name, symbol, parameters) Result(*name) parameters = nullptr;
#include "plugins/backends/nccl/functions.def"
#undef MUSTER_NCCL_FUNCTION
#undef MUSTER_NCCL_OPTIONAL

 private:
  explicit Library(const std::string& name);

  const char* (*error_string_)(Result) = nullptr;
  const char* (*last_error_)(Comm) = nullptr;
  std::string path_;
  int version_ = 0;
};

}  // namespace muster::nccl

#endif

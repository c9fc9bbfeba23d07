// Builds kernels for the very machine: the sources that muster came with, through the system's
// compiler, into the store of native_store.hpp.
//
// Each key is built by a process of its own, under a lock: who comes second waits and uses what the
// first has built. Nothing is left when the builder is ended. Not for a process with threads:
// `muster precompile`, and the helper that background builds run in.
#ifndef MUSTER_CORE_KERNELS_NATIVE_BUILD_HPP
#define MUSTER_CORE_KERNELS_NATIVE_BUILD_HPP

#include <functional>
#include <string>
#include <vector>

#include "core/kernels/compiler.hpp"
#include "core/kernels/native_store.hpp"

namespace muster {

struct BuildOutcome {
  enum class State { kBuilt, kReady, kFailed };
  NativeKey key;
  State state = State::kFailed;
  std::string text;  // the shared object's path; of a failure, the cause and the log's path
  double seconds = 0;
};

class NativeBuild {
 public:
  // Looks for compiler and sources, describes the target. A failure says what is missing.
  static Result<NativeBuild> plan(const Config& config, const std::string& march);

  std::string digest_of_key(const NativeKey& key) const;
  const NativeStore& store() const { return store_; }
  const std::string& march() const { return march_; }

  // Up to `jobs` at a time. `done` hears of each as it ends. Stops early, ending what runs, when
  // stop_fd (-1: none) can be read or the process is asked to end.
  std::vector<BuildOutcome> run(const std::vector<NativeKey>& keys, unsigned jobs, int stop_fd,
                                const std::function<void(const BuildOutcome&)>& done) const;

 private:
  NativeBuild(const Config& config, Compiler compiler, std::string sources, std::string march)
      : config_(config),
        compiler_(std::move(compiler)),
        sources_(std::move(sources)),
        march_(std::move(march)),
        store_(config) {}
  BuildOutcome build(const NativeKey& key) const;
  std::string compile(const NativeKey& key, const std::string& digest, const std::string& object,
                      const std::string& log) const;

  Config config_;
  Compiler compiler_;
  std::string sources_;  // directory
  std::string march_;
  NativeStore store_;
  std::string basis_;  // what every digest contains
};

// Starts a build of what is missing beside this process and returns at once; "" or why not. It ends
// when it is done, or soon after the returned descriptor's other end, `out_fd`, is closed.
std::string start_background_build(const Config& config, int* out_fd);
// The helper's part of it; arguments as start_background_build gave them.
int background_build_main(int argc, char** argv);
inline constexpr const char* kBackgroundBuild = "--build-kernels";

}  // namespace muster

#endif

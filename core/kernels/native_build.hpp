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

#include "core/kernels/build_workers.hpp"
#include "core/kernels/compiler.hpp"
#include "core/kernels/native_store.hpp"

namespace muster {

// The directory of the installed sources, if they are those that this runtime was built with.
Result<std::string> native_sources();

class NativeBuild {
 public:
  // Looks for compiler and sources, describes the target. A failure says what is missing.
  static Result<NativeBuild> plan(const Config& config, const std::string& march);

  std::string digest_of_key(const NativeKey& key) const;
  const NativeStore& store() const { return store_; }
  const std::string& march() const { return march_; }

  // As run_builds.
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

}  // namespace muster

#endif

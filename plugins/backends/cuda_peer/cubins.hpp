// Cubins of the programs of this backend: kept, found in packs and built by the runtime
// (muster/variants.h); built here, by each process for itself, where a runtime keeps none.
//
// Any thread; valid while the instance lives.
#ifndef MUSTER_PLUGINS_CUDA_PEER_CUBINS_HPP
#define MUSTER_PLUGINS_CUDA_PEER_CUBINS_HPP

#include <string>

#include "muster/variants.hpp"
#include "plugins/backends/cuda_peer/programs.hpp"

namespace muster::cuda_peer {

class Cubins {
 public:
  explicit Cubins(plugin::Host host) : images_(host) {}

  // MUSTER_IMAGE_...: whether `get` has it, builds it, or fails.
  muster_image_state state(const ProgramKey& key) const;
  // May take as long as a compiler. Throws with the log's place when there is none.
  std::string get(const ProgramKey& key) const;

 private:
  plugin::Images images_;
};

}  // namespace muster::cuda_peer

#endif

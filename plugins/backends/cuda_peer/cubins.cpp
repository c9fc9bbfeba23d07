#include "plugins/backends/cuda_peer/cubins.hpp"

#include "plugins/backends/cuda_peer/nvrtc.hpp"

namespace muster::cuda_peer {

muster_image_state Cubins::state(const ProgramKey& key) const {
  if (images_.kept()) return images_.state(Program(key).variant());
  return Nvrtc::get().missing().empty() ? MUSTER_IMAGE_BUILDABLE : MUSTER_IMAGE_MISSING;
}

std::string Cubins::get(const ProgramKey& key) const {
  return images_.kept() ? images_.get(Program(key).variant()) : built_cubin(key).cubin;
}

}  // namespace muster::cuda_peer

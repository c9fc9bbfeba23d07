// The kernels of one group on one device: loaded as a whole before the group connects, for loading
// may allocate, and nothing may while ranks that share a device wait for each other. Programs that
// are neither ready nor buildable on this machine are left out; no rank was offered them.
//
// Any thread once made; the context is current in the constructor and the destructor.
#ifndef MUSTER_PLUGINS_CUDA_PEER_KERNELS_HPP
#define MUSTER_PLUGINS_CUDA_PEER_KERNELS_HPP

#include <array>
#include <string>
#include <vector>

#include "plugins/backends/cuda_peer/cubins.hpp"
#include "plugins/backends/cuda_peer/driver.hpp"
#include "plugins/backends/cuda_peer/programs.hpp"

namespace muster::cuda_peer {

class Kernels {
 public:
  // shared_bytes: the most that a block of the device may be given. Ranks begin with different
  // programs, so that processes which find an empty cache build beside each other.
  Kernels(const std::string& architecture, unsigned ranks, unsigned rank, unsigned shared_bytes,
          const Cubins& cubins);
  ~Kernels();
  Kernels(const Kernels&) = delete;
  Kernels& operator=(const Kernels&) = delete;

  // nullptr: there is none, or it is not ready here. dtype does not matter to moves.
  cu::Function of(Kernel kernel, muster_dtype dtype) const {
    return functions_[is_move(kernel) ? 0 : dtype][static_cast<unsigned>(kernel)];
  }
  // The fewest blocks that any kernel of lines, the fused one, or one of stages, has on one
  // multiprocessor at once.
  unsigned line_blocks() const { return line_blocks_; }
  unsigned row_blocks() const { return row_blocks_; }
  // Shared memory for a row of the fused kernel.
  unsigned row_bytes() const { return static_cast<unsigned>(row_bytes_); }
  unsigned stage_blocks() const { return stage_blocks_; }

 private:
  void load(const ProgramKey& key, const Cubins& cubins);
  void find(const ProgramKey& key, cu::Module module, Kernel kernel);

  std::vector<cu::Module> modules_;
  std::array<std::array<cu::Function, kKernels>, MUSTER_DTYPE_END> functions_{};
  int row_bytes_;
  unsigned line_blocks_ = 64;
  unsigned row_blocks_ = 64;
  unsigned stage_blocks_ = 64;
};

}  // namespace muster::cuda_peer

#endif

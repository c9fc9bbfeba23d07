// One rank's part of one group: its memory, its kernels, and how a call becomes one launch.
//
// Thread rule: [group-serial] after connect; abort and async_error from any thread. Lifetime: from
// prepare to group_destroy, which waits for what was launched; no wait in a kernel is longer than
// wait_ms.
#ifndef MUSTER_PLUGINS_CUDA_PEER_GROUP_HPP
#define MUSTER_PLUGINS_CUDA_PEER_GROUP_HPP

#include <memory>
#include <optional>
#include <string>

#include "muster/plugin.hpp"
#include "plugins/backends/cuda_peer/bands.hpp"
#include "plugins/backends/cuda_peer/captures.hpp"
#include "plugins/backends/cuda_peer/control_page.hpp"
#include "plugins/backends/cuda_peer/kept_launches.hpp"
#include "plugins/backends/cuda_peer/kernels.hpp"
#include "plugins/backends/cuda_peer/peer_memory.hpp"
#include "plugins/backends/cuda_peer/plan.hpp"
#include "plugins/backends/cuda_peer/telling.hpp"

namespace muster::cuda_peer {

// Keeps a device's primary context, which is the one that the CUDA runtime uses.
class PrimaryContext {
 public:
  explicit PrimaryContext(int device);
  ~PrimaryContext();
  PrimaryContext(const PrimaryContext&) = delete;
  PrimaryContext& operator=(const PrimaryContext&) = delete;
  cu::DeviceHandle device() const { return device_; }
  cu::Context get() const { return context_; }

 private:
  cu::DeviceHandle device_ = 0;
  cu::Context context_ = nullptr;
};

class PeerGroup {
 public:
  explicit PeerGroup(plugin::Group group);
  ~PeerGroup();
  void connect();
  void execute(const muster_call& call);
  // What registers and deregisters waits until this rank's kernels are done.
  Region* memory_register(void* pointer, uint64_t bytes, muster_memory memory);
  void memory_deregister(void* region);
  void capture_begin(muster_phase phase);
  void capture_end(bool ok);
  void async_error() const;
  void abort();

 private:
  void join();
  // Equal on all ranks. [collective]
  void agree_on_room();
  Algorithm algorithm_of(const muster_call& call, uint64_t bytes) const;
  Region* register_piece(Piece piece);
  // Of a call that was not made before, or whose launch depends on where its buffers lie.
  void execute_anew(const muster_call& call);
  // Says in `args` what this rank tells the others of its buffers; false: nothing, wherever they
  // lie.
  bool tell(const muster_call& call, const Plan& plan, Args& args);
  Plan plan_fused(const muster_call& call, uint64_t bytes, Args& args) const;

  plugin::Group group_;
  PrimaryContext context_;
  const cu::Driver& cuda_ = cu::driver();
  std::unique_ptr<Kernels> kernels_;
  std::unique_ptr<ControlPage> control_;
  std::unique_ptr<PeerMemory> memory_;
  // Once connected.
  std::unique_ptr<HeapWords> words_;
  std::unique_ptr<Regions> regions_;
  std::unique_ptr<Captures> captures_;
  Bands bands_;
  Room room_{};
  Args args_{};  // what is the same in every call
  // Of what no rank tells of; algorithms of promised calls depend on what is registered.
  KeptLaunches kept_;
  uint32_t multiprocessors_ = 0;
  bool programmatic_ = false;
  bool direct_ = false;  // buffers that all know are stored into
  bool register_captured_ = false;
  std::string architecture_;
};

}  // namespace muster::cuda_peer

#endif

// One launch of a kernel as the driver takes it: shape, attributes and parameters, which may be
// handed over again and again. As the arguments of cudaLaunchKernelEx.
//
// [group-serial]; run: [no-block], no allocation. Stays where it is, for it points into itself.
// Lives no longer than the kernel's module and its context.
#ifndef MUSTER_PLUGINS_CUDA_PEER_LAUNCH_HPP
#define MUSTER_PLUGINS_CUDA_PEER_LAUNCH_HPP

#include "muster/call.h"
#include "plugins/backends/cuda_peer/device/contract.h"
#include "plugins/backends/cuda_peer/driver.hpp"
#include "plugins/backends/cuda_peer/plan.hpp"

namespace muster::cuda_peer {

class Launch {
 public:
  Launch() = default;
  Launch(const Launch&) = delete;
  Launch& operator=(const Launch&) = delete;

  // programmatic: it may be put in place while its predecessor ends.
  void shape(const Plan& plan, cu::Function function, bool programmatic);
  // The buffers of a call, and its stream.
  void aim(const muster_call& call) {
    args.send = static_cast<const Byte*>(call.send);
    // The root of a broadcast need not receive.
    args.recv = static_cast<Byte*>(call.recv == nullptr ? const_cast<void*>(call.send) : call.recv);
    config_.stream = reinterpret_cast<cu::Stream>(call.stream.handle);
  }
  // In the kernel's context, which need not be current. Throws what the driver says.
  void run(const cu::Driver& cuda, cu::Context context) {
    cu::Context now = nullptr;
    cuda.context_current(&now);
    if (now != context) return run_elsewhere(cuda, context);
    void* parameters[] = {&args};
    cuda.check(cuda.launch(&config_, function_, parameters, nullptr), kernel_symbol(kernel_));
  }

  Args args{};

 private:
  void run_elsewhere(const cu::Driver& cuda, cu::Context context);

  cu::LaunchConfig config_{};
  cu::Function function_ = nullptr;
  Kernel kernel_ = Kernel::kEnd;
  cu::LaunchAttribute attributes_[2] = {};
};

}  // namespace muster::cuda_peer

#endif

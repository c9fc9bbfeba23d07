#include "plugins/backends/cuda_peer/launch.hpp"

namespace muster::cuda_peer {

void Launch::shape(const Plan& plan, cu::Function function, bool programmatic) {
  function_ = function;
  kernel_ = plan.kernel;
  unsigned count = 0;
  if (programmatic) {
    attributes_[count].id = cu::kProgrammatic;
    attributes_[count++].value.programmatic = 1;
  }
  if (plan.cluster > 1) {
    attributes_[count].id = cu::kClusterDimension;
    attributes_[count].value.cluster[0] = plan.cluster;
    attributes_[count].value.cluster[1] = 1;
    attributes_[count++].value.cluster[2] = 1;
  }
  config_.grid[0] = plan.blocks;
  config_.grid[1] = config_.grid[2] = 1;
  config_.block[0] = plan.threads;
  config_.block[1] = config_.block[2] = 1;
  config_.shared_bytes = plan.shared_bytes;
  config_.attributes = attributes_;
  config_.attribute_count = count;
  args.bytes = plan.bytes;
  args.piece = plan.piece;
  args.step_bytes = plan.step_bytes;
  args.lag = plan.lag;
  args.once = plan.once;
}

void Launch::run_elsewhere(const cu::Driver& cuda, cu::Context context) {
  const cuda::Current current(cuda, context);
  void* parameters[] = {&args};
  cuda.check(cuda.launch(&config_, function_, parameters, nullptr), kernel_symbol(kernel_));
}

}  // namespace muster::cuda_peer

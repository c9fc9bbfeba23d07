#include "plugins/backends/cuda_peer/kernels.hpp"

#include <algorithm>

#include "muster/plugin.hpp"

namespace muster::cuda_peer {
namespace {

constexpr int kMostThreads = 512;
constexpr int kFixedSharedBytes = 2048;  // what a block uses beside a row, and the driver

// Those whose blocks use the channels of stages.
bool is_staged(Kernel kernel) {
  switch (kernel) {
    case Kernel::kAllReducePull:
    case Kernel::kReduceScatterPull:
    case Kernel::kAllGatherPull:
    case Kernel::kAllToAllPull:
    case Kernel::kBroadcastPull:
    case Kernel::kAllReduceStaged:
    case Kernel::kReduceScatterStaged:
    case Kernel::kAllGatherStaged:
    case Kernel::kAllToAllStaged:
    case Kernel::kBroadcastStaged:
      return true;
    default:
      return false;
  }
}

}  // namespace

Kernels::Kernels(const std::string& architecture, unsigned ranks, unsigned rank,
                 unsigned shared_bytes, const Cubins& cubins)
    : row_bytes_(static_cast<int>(shared_bytes) - kFixedSharedBytes) {
  std::vector<ProgramKey> programs = programs_of(ranks, architecture);
  std::rotate(programs.begin(), programs.begin() + rank % programs.size(), programs.end());
  for (const ProgramKey& key : programs) {
    if (cubins.state(key) != MUSTER_IMAGE_MISSING) load(key, cubins);
  }
}

Kernels::~Kernels() {
  for (const cu::Module module : modules_) cu::driver().module_unload(module);
}

void Kernels::load(const ProgramKey& key, const Cubins& cubins) {
  const std::string cubin = cubins.get(key);
  cu::Module module = nullptr;
  cu::driver().check(cu::driver().module_load(&module, cubin.data()), "cuModuleLoadData");
  modules_.push_back(module);
  for (unsigned k = 0; k < kKernels; ++k) {
    const auto kernel = static_cast<Kernel>(k);
    if (is_move(kernel) == (key.dtype == MUSTER_DTYPE_NONE)) find(key, module, kernel);
  }
}

void Kernels::find(const ProgramKey& key, cu::Module module, Kernel kernel) {
  const cu::Driver& cuda = cu::driver();
  cu::Function function = nullptr;
  cuda.check(cuda.module_function(&function, module, kernel_symbol(kernel)), kernel_symbol(kernel));
  // Drivers load functions on first use otherwise; older ones do when asked for an attribute.
  if (cuda.function_load != nullptr) cuda.check(cuda.function_load(function), "cuFuncLoad");
  int version = 0;
  cuda.check(cuda.function_attribute(&version, cu::kFunctionBinaryVersion, function),
             "cuFuncGetAttribute");
  if (kernel == Kernel::kFusedPushRows) {
    cuda.check(cuda.function_set(function, cu::kFunctionSharedBytes, row_bytes_),
               "cuFuncSetAttribute");
  }
  int blocks = 0;
  cuda.check(cuda.function_blocks(&blocks, function, kMostThreads, 0),
             "cuOccupancyMaxActiveBlocksPerMultiprocessor");
  // Its blocks have a multiprocessor each.
  if (kernel == Kernel::kFusedPush) blocks = 64;
  unsigned& fewest = is_staged(kernel)                  ? stage_blocks_
                     : kernel == Kernel::kFusedPushRows ? row_blocks_
                                                        : line_blocks_;
  fewest = std::min(fewest, static_cast<unsigned>(std::max(blocks, 0)));
  functions_[key.dtype][static_cast<unsigned>(kernel)] = function;
}

}  // namespace muster::cuda_peer

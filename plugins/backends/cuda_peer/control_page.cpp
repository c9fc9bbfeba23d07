#include "plugins/backends/cuda_peer/control_page.hpp"

#include <cstring>

#include "muster/plugin.hpp"

namespace muster::cuda_peer {

ControlPage::ControlPage() {
  const cu::Driver& cuda = cu::driver();
  void* page = nullptr;
  cuda.check(cuda.host_allocate(&page, 4096, cu::kHostMapped), "cuMemHostAlloc");
  host_ = static_cast<Control*>(page);
  std::memset(page, 0, sizeof(Control));
  cu::DevicePointer seen = 0;
  const cu::Result result = cuda.host_on_device(&seen, page, 0);
  if (result != 0) cuda.host_free(page);
  cuda.check(result, "cuMemHostGetDevicePointer");
  device_ = reinterpret_cast<Control*>(seen);
}

ControlPage::~ControlPage() { cu::driver().host_free(host_); }

void ControlPage::fail() const {
  const Word error = __atomic_load_n(&host_->error, __ATOMIC_RELAXED);
  const auto peer = static_cast<unsigned>(error & 0xff);
  const std::string whom = peer < kMaxRanks ? "rank " + std::to_string(peer) : "another rank";
  if ((error >> 8 & 0xff) == kErrorAborted) {
    plugin::fail(MUSTER_ABORTED, "the group was aborted while a kernel waited for " + whom);
  }
  plugin::fail(
      MUSTER_DEADLINE_EXCEEDED,
      "a kernel has waited in vain for " + whom + ": it has not made the same calls, or ended",
      "make all ranks call the same operations in the same order; raise wait_ms if a rank "
      "may come that late");
}

}  // namespace muster::cuda_peer

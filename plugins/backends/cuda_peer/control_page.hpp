// The page in host memory through which the host ends a kernel's wait and a kernel reports one that
// failed. The context is current in the constructor and the destructor; the rest is for any thread.
#ifndef MUSTER_PLUGINS_CUDA_PEER_CONTROL_PAGE_HPP
#define MUSTER_PLUGINS_CUDA_PEER_CONTROL_PAGE_HPP

#include <string>

#include "plugins/backends/cuda_peer/device/contract.h"
#include "plugins/backends/cuda_peer/driver.hpp"

namespace muster::cuda_peer {

class ControlPage {
 public:
  ControlPage();
  ~ControlPage();
  ControlPage(const ControlPage&) = delete;
  ControlPage& operator=(const ControlPage&) = delete;

  Control* on_device() const { return device_; }
  bool failed() const { return __atomic_load_n(&host_->error, __ATOMIC_RELAXED) != 0; }
  // Throws what a kernel has reported.
  [[noreturn]] void fail() const;
  void abort() { __atomic_store_n(&host_->abort, Word{1}, __ATOMIC_RELAXED); }

 private:
  Control* host_ = nullptr;
  Control* device_ = nullptr;
};

}  // namespace muster::cuda_peer

#endif

// NCCL, opened at run time, to be measured beside the backend.
#ifndef MUSTER_TESTS_GPU_PEER_NCCL_HPP
#define MUSTER_TESTS_GPU_PEER_NCCL_HPP

#include <string>

#include "tests/gpu/peer/world.hpp"

namespace muster::peer_test {

class Nccl {
 public:
  // Collective. missing() says why there is none, on every rank.
  explicit Nccl(Rank& rank);
  ~Nccl();
  Nccl(const Nccl&) = delete;
  Nccl& operator=(const Nccl&) = delete;

  const std::string& missing() const { return missing_; }
  int version() const { return version_; }
  // bf16; counts as in muster.
  void run(muster_op op, uint64_t count, cu::DevicePointer send, cu::DevicePointer recv);

 private:
  struct Functions;
  Rank& rank_;
  std::unique_ptr<Functions> functions_;
  void* communicator_ = nullptr;
  std::string missing_;
  int version_ = 0;
};

}  // namespace muster::peer_test

#endif

// Runs cases on device memory, and checks them against the reference of the host's matrix.
//
// The buffers are those of ranks::CallData, copied to the device before the call and back after it,
// guard bytes included. Thread rule and lifetime: the group's.
#ifndef MUSTER_TESTS_GPU_RUNNER_HPP
#define MUSTER_TESTS_GPU_RUNNER_HPP

#include <array>
#include <cstdint>

#include "muster/muster.h"
#include "tests/gpu/cases.hpp"
#include "tests/gpu/device.hpp"
#include "tests/ranks/runner.hpp"

namespace muster::gpu {

class DeviceRunner {
 public:
  // of_group: buffers in memory that every rank of the group knows (muster_mem_alloc). bytes: of
  // the largest buffer. Throws std::runtime_error. [collective]
  DeviceRunner(muster_group* group, Device& device, uint64_t bytes, bool of_group);
  ~DeviceRunner();
  DeviceRunner(const DeviceRunner&) = delete;
  DeviceRunner& operator=(const DeviceRunner&) = delete;

  ranks::Outcome run(const DeviceCase& c);

 private:
  // A call of the host on its way to the device.
  struct Moved {
    ranks::CallData data;
    muster_call call = {};
    std::array<void*, 2> there = {};
  };
  void prepare(Moved& moved, const ranks::Case& c, uint32_t buffer);
  void upload(Moved& moved);
  void download(Moved& moved);
  ranks::Said call_in(const DeviceCase& c);
  ranks::Said plan(const DeviceCase& c);
  ranks::Said batch(const DeviceCase& c);
  ranks::Said graph(const DeviceCase& c);
  void check_side();
  void refill(uint64_t seed);

  static constexpr uint32_t kBuffers = 4;
  muster_group* const group_;
  Device& device_;
  const uint64_t bytes_;
  const bool of_group_;
  const uint32_t rank_;
  const uint32_t size_;
  std::array<void*, kBuffers> buffers_ = {};
  Moved main_;
  Moved message_;
  ranks::Wrong side_;  // wrong elements of what ran beside the last call
};

}  // namespace muster::gpu

#endif

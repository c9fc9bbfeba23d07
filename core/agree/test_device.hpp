// What the known-answer test has on a device: memory for the operands of many calls, and a stream.
//
// Calls are made in batches: one copy to the device, all calls enqueued, one wait, one copy back.
// By ones, copies and waits would take ten times as long as the calls.
//
// Everything is taken before the first call and given back after the last: where ranks share a
// device, nothing may allocate while their kernels wait for each other. One thread.
#ifndef MUSTER_CORE_AGREE_TEST_DEVICE_HPP
#define MUSTER_CORE_AGREE_TEST_DEVICE_HPP

#include <cstdint>
#include <memory>
#include <vector>

#include "core/agree/exercise.hpp"
#include "core/base/status.hpp"
#include "core/dispatch/group.hpp"
#include "core/query/devices.hpp"

namespace muster {

class TestDevice {
 public:
  struct Item {
    Exercise exercise;
    bool on_stream;   // else as a host call on this memory
    Status status{};  // of its call
  };

  // What the operands of an exercise take.
  static uint64_t bytes_for(Exercise& exercise);
  // bytes: of the largest batch. [local]
  static Result<std::unique_ptr<TestDevice>> make(const Device& device, uint32_t index,
                                                  uint64_t bytes);
  ~TestDevice();
  TestDevice(const TestDevice&) = delete;
  TestDevice& operator=(const TestDevice&) = delete;

  // Fills the exercises, makes their calls one after the other, waits until all are done, and
  // brings the results back for check(). What is not about one call is returned. [collective]
  Status run(muster_group& group, const LiveBackend& backend, std::vector<Item>& items);

 private:
  TestDevice(const Device& device, uint32_t index) : device_(device), index_(index) {}
  Status copy_all(std::vector<Item>& items, bool to_device);
  // Until what has been enqueued is done, at most to the group's deadline: then the backend is
  // aborted, so that the memory can be freed.
  Status wait(muster_group& group, const LiveBackend& backend);

  const Device device_;
  const uint32_t index_;
  void* memory_ = nullptr;
  std::vector<char> packed_;  // the batch on the host, as it lies on the device
  muster_stream stream_{MUSTER_STREAM_NONE, 0, 0};
  bool own_stream_ = false;
};

}  // namespace muster

#endif

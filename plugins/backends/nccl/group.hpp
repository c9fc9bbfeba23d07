// One rank's part of one group: a communicator, and the calls on it. Thread rule: group-serial;
// abort and async_error any thread. Equivalent to an ncclComm_t.
#ifndef MUSTER_PLUGINS_BACKENDS_NCCL_GROUP_HPP
#define MUSTER_PLUGINS_BACKENDS_NCCL_GROUP_HPP

#include <memory>

#include "muster/plugin.hpp"
#include "plugins/backends/nccl/calls.hpp"
#include "plugins/backends/nccl/host_calls.hpp"
#include "plugins/backends/nccl/life.hpp"

namespace muster::nccl {

class Group {
 public:
  Group(plugin::Group group, const Library& library, std::shared_ptr<cuda::Contexts> contexts,
        uint32_t device);
  ~Group();
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  void connect();
  void execute(const muster_call& call) { run(&call, 1); }
  // NCCL runs them as one.
  void execute_batch(const muster_call* calls, uint32_t count) { run(calls, count); }
  void* memory_register(void* pointer, uint64_t bytes, muster_memory memory);
  void memory_deregister(void* registration);
  void async_error() { life_->check_async(); }
  void abort() noexcept { life_->abort(); }

 private:
  void run(const muster_call* calls, uint32_t count);
  Result enqueue_all(const muster_call* calls, uint32_t count, unsigned char* scratch, Comm comm);
  Stream stream_of(const muster_call& call);
  void stage(const muster_call& call, void* scratch, uint64_t bytes, Stream stream);

  plugin::Group group_;
  std::shared_ptr<Life> life_;
  HostCalls host_calls_;
  Member member_;
  bool windows_ = false;
};

}  // namespace muster::nccl

#endif

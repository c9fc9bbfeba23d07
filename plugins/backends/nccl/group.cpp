#include "plugins/backends/nccl/group.hpp"

#include <cstring>
#include <string>
#include <vector>

#include "plugins/backends/nccl/windows.hpp"
#include "plugins/cuda_driver/raise.hpp"

namespace muster::nccl {
namespace {

using plugin::fail;

// Rank 0's id, or why there is none, which the others must not wait for.
struct Invitation {
  UniqueId id;
  Result result;
  char error[256];
};

bool one_node(const muster_group_info& info) {
  for (uint32_t rank = 1; rank < info.size; ++rank) {
    if (info.places[rank].node != info.places[0].node) return false;
  }
  return true;
}

uint64_t rounded(uint64_t bytes) { return (bytes + 255) / 256 * 256; }

}  // namespace

Group::Group(plugin::Group group, const Library& library, std::shared_ptr<cuda::Contexts> contexts,
             uint32_t device)
    : group_(group),
      life_(std::make_shared<Life>(library, std::move(contexts), device)),
      host_calls_(group, *life_),
      member_{&library, library.features(), group.rank(), group.size()} {}

Group::~Group() {
  if (life_->end(group_.host())) return;
  group_.host().log(MUSTER_LOG_WARN, std::string("the communicator of group ") +
                                         group_.info().name +
                                         " still waits for captured graphs or for peers that are "
                                         "gone; it ends in the background");
}

void Group::connect() {
  std::vector<uint32_t> all(group_.size());
  group_.all_gather(&member_.features, sizeof(member_.features), all.data());
  for (const uint32_t features : all) member_.features &= features;
  const Settings settings =
      settings_of(group_, one_node(group_.info()) && (member_.features & kFeatureWindows) != 0);
  windows_ = settings.windows;

  Invitation invitation{};
  if (group_.rank() == 0) {
    const cuda::Current current(life_->driver(), life_->context());
    invitation.result = member_.nccl->get_unique_id(&invitation.id);
    if (invitation.result != kSuccess) {
      std::strncpy(invitation.error, member_.nccl->describe(invitation.result, nullptr).c_str(),
                   sizeof(invitation.error) - 1);
    }
  }
  group_.broadcast(0, &invitation, sizeof(invitation));
  if (invitation.result != kSuccess) {
    fail(MUSTER_UNAVAILABLE, std::string("ncclGetUniqueId on rank 0: ") + invitation.error,
         "run with NCCL_DEBUG=WARN, and NCCL says more");
  }
  life_->make(group_, settings, invitation.id);
}

Stream Group::stream_of(const muster_call& call) {
  if (call.stream.kind == MUSTER_STREAM_CUDA)
    return reinterpret_cast<Stream>(static_cast<uintptr_t>(call.stream.handle));
  return host_calls_.stream();
}

void Group::stage(const muster_call& call, void* scratch, uint64_t bytes, Stream stream) {
  cuda::raising([&] {
    life_->driver().check(
        life_->driver().copy_async(cuda::device_pointer(scratch), cuda::device_pointer(call.send),
                                   bytes, stream),
        "cuMemcpyAsync");
  });
}

Result Group::enqueue_all(const muster_call* calls, uint32_t count, unsigned char* scratch,
                          Comm comm) {
  Result result = kSuccess;
  for (uint32_t i = 0; i < count; ++i) {
    const muster_call& call = MUSTER_AT(muster_call, calls, i);
    const Stream stream = stream_of(call);
    const uint64_t bytes = scratch == nullptr ? 0 : scratch_bytes(member_, call);
    if (bytes != 0) stage(call, scratch, bytes, stream);
    result = enqueue(member_, call, bytes == 0 ? nullptr : scratch, comm, stream);
    scratch += rounded(bytes);
  }
  return result;
}

void Group::run(const muster_call* calls, uint32_t count) {
  const cuda::Current current(life_->driver(), life_->context());
  uint64_t bytes = 0;
  bool waits = false;
  for (uint32_t i = 0; i < count; ++i) {
    const muster_call& call = MUSTER_AT(muster_call, calls, i);
    bytes += rounded(scratch_bytes(member_, call));
    waits = waits || call.stream.kind == MUSTER_STREAM_NONE;
  }
  auto* const scratch =
      bytes == 0 ? nullptr : static_cast<unsigned char*>(group_.scratch(MUSTER_CUDA, bytes));
  {
    const Life::Use use(*life_);
    Result result = kSuccess;
    if (count == 1) {
      result = enqueue_all(calls, count, scratch, use.comm());
    } else {
      OneOf one(*member_.nccl, use.comm());
      enqueue_all(calls, count, scratch, use.comm());
      result = one.end();
    }
    if (result != kSuccess) life_->settle(group_, result, "a call of NCCL", use.comm());
  }
  if (waits) host_calls_.wait();
}

void* Group::memory_register(void* pointer, uint64_t bytes, muster_memory memory) {
  if (memory != MUSTER_CUDA) fail(MUSTER_UNAVAILABLE, "NCCL registers device memory only");
  if (!windows_) {
    fail(MUSTER_UNAVAILABLE,
         "windows are off, are in NCCL from 2.27 on only (all ranks), or the group spans machines");
  }
  return register_window(group_, life_, pointer, bytes);
}

void Group::memory_deregister(void* registration) {
  deregister_window(group_, life_, static_cast<Window>(registration));
}

}  // namespace muster::nccl

#include "plugins/backends/nccl/windows.hpp"

#include <string>
#include <vector>

#include "plugins/backends/nccl/bounded.hpp"

namespace muster::nccl {
namespace {

using plugin::fail;

constexpr uint64_t kAlignment = 4096;

enum Verdict : uint32_t { kFits = 0, kUnaligned = 1, kNotShareable = 2 };
constexpr const char* kVerdicts[] = {
    "", "is not aligned to 4096 bytes",
    "is not memory with a file descriptor (muster_mem_alloc and ncclMemAlloc give such memory)"};

// NCCL would find out too late, in the middle of a collective.
Verdict judge(const cuda::Driver& driver, void* pointer) {
  if (reinterpret_cast<uintptr_t>(pointer) % kAlignment != 0) return kUnaligned;
  cuda::MemoryHandle handle = 0;
  if (driver.memory_retain(&handle, pointer) != cuda::kSuccess) return kNotShareable;
  cuda::AllocationProperties properties{};
  const cuda::Result result = driver.memory_properties(&properties, handle);
  driver.memory_release(handle);
  const bool shareable =
      result == cuda::kSuccess && (properties.requested_handles & cuda::kHandleFileDescriptor) != 0;
  return shareable ? kFits : kNotShareable;
}

}  // namespace

Window register_window(const plugin::Group& group, const std::shared_ptr<Life>& life, void* pointer,
                       uint64_t bytes) {
  const cuda::Current current(life->driver(), life->context());
  const uint32_t mine = judge(life->driver(), pointer);
  std::vector<uint32_t> all(group.size());
  group.all_gather(&mine, sizeof(mine), all.data());
  for (uint32_t rank = 0; rank < group.size(); ++rank) {
    if (all[rank] == kFits) continue;
    fail(MUSTER_UNAVAILABLE,
         "the buffer of rank " + std::to_string(rank) + " " + kVerdicts[all[rank]]);
  }
  struct Made {
    Result result = kSuccess;
    Window window = nullptr;
    std::string error;
  };
  const auto made = std::make_shared<Made>();
  const bool done =
      run_bounded(group.host(), group.deadline_ns(), nullptr, [life, made, pointer, bytes] {
        life->driver().context_set(life->context());
        try {
          const Life::Use use(*life);
          made->result = life->library().window_register(use.comm(), pointer, bytes, &made->window,
                                                         kWindowSymmetric);
          if (made->result != kSuccess && made->result != kInProgress)
            made->error = life->library().describe(made->result, use.comm());
        } catch (const plugin::Failure& failure) {
          made->result = kInternalError;
          made->error = failure.cause();
        }
      });
  if (!done) fail(MUSTER_DEADLINE_EXCEEDED, "ncclCommWindowRegister was not done at the deadline");
  if (made->result == kInProgress) {
    const Life::Use use(*life);
    life->settle(group, kInProgress, "ncclCommWindowRegister", use.comm());
  } else if (made->result != kSuccess) {
    fail(MUSTER_UNAVAILABLE, "ncclCommWindowRegister: " + made->error);
  }
  if (made->window == nullptr)
    fail(MUSTER_UNAVAILABLE, "NCCL has no symmetric memory among these devices");
  return made->window;
}

void deregister_window(const plugin::Group& group, const std::shared_ptr<Life>& life,
                       Window window) noexcept {
  try {
    run_bounded(group.host(), group.deadline_ns(), nullptr, [life, window] {
      life->driver().context_set(life->context());
      try {
        const Life::Use use(*life);
        life->library().window_deregister(use.comm(), window);
      } catch (const plugin::Failure&) {  // aborted: it has gone with the communicator
      }
    });
  } catch (const std::exception&) {  // no thread to be had: it goes with the communicator
  }
}

}  // namespace muster::nccl

// Ranks as threads over the simulated driver, rank r on device r, with a runtime of the test's
// making: no more of it than this backend uses. Options have their defaults; every image is there,
// and empty.
#ifndef MUSTER_TESTS_UNIT_CUDA_PEER_THREAD_GROUP_HPP
#define MUSTER_TESTS_UNIT_CUDA_PEER_THREAD_GROUP_HPP

#include <fcntl.h>

#include <barrier>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "muster/variants.hpp"
#include "plugins/backends/cuda_peer/driver.hpp"
#include "plugins/backends/cuda_peer/settings.hpp"

namespace muster::cuda_peer {

class ThreadGroup {
 public:
  // processes: ranks say that each has a process of its own.
  ThreadGroup(uint32_t ranks, bool processes)
      : barrier_(ranks), parts_(ranks), descriptors_(ranks), records_(ranks) {
    setenv("SIMULATED_CUDA_DEVICES", "8", 0);
    for (uint32_t r = 0; r < ranks; ++r)
      places_.push_back({r, 0, processes ? r : 0, static_cast<int32_t>(r)});
  }

  // Runs a body on every rank, whose context is current.
  void run(const std::function<void(plugin::Group, cu::DeviceHandle)>& body) {
    const cu::Driver& cuda = cu::Driver::initialised();
    std::vector<std::thread> threads;
    for (uint32_t r = 0; r < places_.size(); ++r) {
      threads.emplace_back([&, r] {
        Rank rank(*this, r);
        cu::Contexts contexts(cuda);
        const cu::Current current(contexts.of(r));
        body(plugin::Group(&rank, reinterpret_cast<muster_host_group*>(&rank)), cuda.handle_of(r));
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  // "verdict: reason".
  const std::vector<std::string>& records(uint32_t rank) const { return records_[rank]; }

 private:
  struct Rank : muster_host {
    Rank(ThreadGroup& group, uint32_t rank) : muster_host{}, all(group) {
      info = {MUSTER_GROUP_INFO_SIZE,
              rank,
              static_cast<uint32_t>(group.places_.size()),
              MUSTER_NONDETERMINISTIC,
              7,
              "test",
              "threads",
              group.places_.data()};
      struct_size = MUSTER_HOST_SIZE;
      group_info = [](const muster_host_group* g) {
        return &reinterpret_cast<const Rank*>(g)->info;
      };
      record = [](const muster_host* h, const char*, const char* verdict, const char* reason) {
        const Rank& own = *static_cast<const Rank*>(h);
        own.all.records_[own.info.rank].push_back(std::string(verdict) + ": " + reason);
      };
      all_gather = [](muster_host_group* g, const void* data, uint64_t bytes,
                      void* out) -> muster_status* {
        Rank& own = *reinterpret_cast<Rank*>(g);
        own.all.parts_[own.info.rank].assign(static_cast<const char*>(data), bytes);
        own.all.barrier_.arrive_and_wait();
        for (uint32_t r = 0; r < own.info.size; ++r)
          std::memcpy(static_cast<char*>(out) + r * bytes, own.all.parts_[r].data(), bytes);
        own.all.barrier_.arrive_and_wait();
        return nullptr;
      };
      exchange_fds = [](muster_host_group* g, const int32_t* fds, uint32_t,
                        int32_t* out) -> muster_status* {
        Rank& own = *reinterpret_cast<Rank*>(g);
        own.all.descriptors_[own.info.rank] = fds[0];
        own.all.barrier_.arrive_and_wait();
        for (uint32_t r = 0; r < own.info.size; ++r)
          out[r] = fcntl(own.all.descriptors_[r], F_DUPFD_CLOEXEC, 0);
        own.all.barrier_.arrive_and_wait();
        return nullptr;
      };
      group_option = [](const muster_host_group*, const char* key) -> const char* {
        for (const muster_option& each : Declared::kOptions)
          if (std::strcmp(each.name, key) == 0) return each.default_value;
        return nullptr;
      };
      get_interface = [](const muster_host*, const char* name) -> const void* {
        return std::strcmp(name, MUSTER_IMAGES_INTERFACE) == 0 ? &kImages : nullptr;
      };
    }
    static constexpr muster_images kImages = {
        MUSTER_IMAGES_SIZE, 0,
        [](const muster_host*, const muster_variant*) -> muster_image_state {
          return MUSTER_IMAGE_READY;
        },
        [](const muster_host*, const muster_variant*,
           const muster_image_sink* sink) -> muster_status* {
          sink->image(sink->context, "", 1);
          return nullptr;
        }};
    ThreadGroup& all;
    muster_group_info info{};
  };

  std::barrier<> barrier_;
  std::vector<std::string> parts_;
  std::vector<int32_t> descriptors_;
  std::vector<std::vector<std::string>> records_;
  std::vector<muster_rank_place> places_;
};

// Device memory of the simulated driver, plain or virtual, for as long as it lives.
class Memory {
 public:
  enum class Kind { kPlain, kVirtual, kUnshareable };
  Memory(cu::DeviceHandle device, uint64_t bytes, Kind kind) : kind_(kind), bytes_(bytes) {
    const cu::Driver& cuda = cu::driver();
    if (kind == Kind::kPlain) {
      cuda.check(cuda.memory_allocate(&begin_, bytes), "cuMemAlloc");
      return;
    }
    cu::AllocationProperties properties{};
    properties.type = cu::kAllocationPinned;
    properties.requested_handles =
        kind == Kind::kVirtual ? cu::kHandleFileDescriptor : cu::kHandleNone;
    properties.location = {cu::kLocationDevice, device};
    cuda.check(cuda.memory_create(&handle_, bytes, &properties, 0), "cuMemCreate");
    cuda.check(cuda.address_reserve(&begin_, bytes, 0, 0, 0), "cuMemAddressReserve");
    cuda.check(cuda.memory_map(begin_, bytes, 0, handle_, 0), "cuMemMap");
    const cu::MemoryAccess access{{cu::kLocationDevice, device}, cu::kAccessReadWrite};
    cuda.check(cuda.memory_set_access(begin_, bytes, &access, 1), "cuMemSetAccess");
  }
  ~Memory() {
    const cu::Driver& cuda = cu::driver();
    if (kind_ == Kind::kPlain) {
      cuda.memory_free(begin_);
      return;
    }
    cuda.memory_unmap(begin_, bytes_);
    cuda.address_free(begin_, bytes_);
    cuda.memory_release(handle_);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  cu::DevicePointer begin() const { return begin_; }
  // Simulated device memory is the host's.
  template <typename T>
  T* as(uint64_t offset = 0) const {
    return static_cast<T*>(cu::host_pointer(begin_ + offset));
  }

 private:
  Kind kind_;
  uint64_t bytes_;
  cu::MemoryHandle handle_ = 0;
  cu::DevicePointer begin_ = 0;
};

}  // namespace muster::cuda_peer

#endif

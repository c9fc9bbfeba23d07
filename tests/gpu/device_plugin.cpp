// The plugin "cuda" on a real device, through the public API: a group of one rank allocates, frees
// and copies rows.
#include <cstring>

#include "muster/tensors.hpp"
#include "tests/gpu/device.hpp"
#include "tests/gpu/scenario.hpp"

namespace muster::gpu {
namespace {

void check_memory(api::Group& group, Device& device, uint64_t bytes, Tally& tally) {
  void* memory = nullptr;
  api::check(muster_mem_alloc(group.get(), bytes, MUSTER_CUDA, &memory));
  tally.expect(reinterpret_cast<uintptr_t>(memory) % 4096 == 0, "memory is not aligned");
  std::vector<unsigned char> sent(bytes);
  for (uint64_t i = 0; i < bytes; ++i) sent[i] = static_cast<unsigned char>(i * 7 + i / 251);
  std::vector<unsigned char> received(bytes);
  device.copy(memory, sent.data(), bytes);
  device.copy(received.data(), memory, bytes);
  tally.expect(sent == received, "memory of " + std::to_string(bytes) + " bytes lost its content");
  api::check(muster_mem_free(group.get(), memory));
}

}  // namespace

Tally run_device_plugin() {
  Tally tally;
  try {
    api::RuntimeOptions options;
    options.config_text = "plugins.probe = \"in-process\"\nbackend.mpi.mode = \"off\"\n";
    options.device_plus_one = 1;
    api::Runtime runtime = api::Runtime::init(options);
    Device device(0);
    api::GroupOptions of_group;
    of_group.memory = MUSTER_CUDA;
    api::Group group(runtime, of_group);
    for (const uint64_t bytes : {uint64_t{1}, uint64_t{4096}, (uint64_t{2} << 20) + 1})
      check_memory(group, device, bytes, tally);
    void* memory = nullptr;
    muster_status* const status =
        muster_mem_alloc(group.get(), uint64_t{1} << 46, MUSTER_CUDA, &memory);
    tally.expect(status != nullptr, "64 TiB of device memory were given");
    muster_status_release(status);
    check_memory(group, device, 100, tally);
  } catch (const std::exception& error) {
    tally.expect(false, error.what());
  }
  return tally;
}

}  // namespace muster::gpu

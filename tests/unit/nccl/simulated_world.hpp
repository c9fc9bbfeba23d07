// Ranks as threads over the real plugins, the simulated driver and the simulated NCCL.
#ifndef MUSTER_TESTS_UNIT_NCCL_SIMULATED_WORLD_HPP
#define MUSTER_TESTS_UNIT_NCCL_SIMULATED_WORLD_HPP

#include <dlfcn.h>

#include <cstdlib>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "muster/testing/world.hpp"
#include "tests/gpu/device.hpp"

namespace muster::testing {

// A variable of the environment, for as long as it lives. Set while no other thread runs.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    setenv(name, value.c_str(), 1);
  }
  ~Environment() { unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
};

// A switch of the simulated NCCL that changes while threads run; "" is off.
inline void set_switch(const char* name, const char* value) {
  void* const file = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
  reinterpret_cast<void (*)(const char*, const char*)>(dlsym(file, "simulatedSwitch"))(name, value);
}

// A world whose rank r is bound to device r, of as many devices; more lines of configuration.
inline World simulated_world(uint32_t ranks, const std::string& config = "",
                             uint32_t timeout_ms = 20000) {
  setenv("SIMULATED_CUDA_DEVICES", "8", 0);
  std::vector<int32_t> devices(ranks);
  std::iota(devices.begin(), devices.end(), 0);
  return World(ranks).devices(devices).config(
      // What one test passes says nothing about another one's switches.
      "plugins.probe = \"in-process\"\nplugins.cache_dir = "
      "\"/dev/null/muster\"\nbackend.mpi.mode = \"off\"\ngroup.timeout_ms = " +
      std::to_string(timeout_ms) + "\n" + config);
}

inline std::string nccl_option(const std::string& name, const std::string& value) {
  return "backend.nccl.options." + name + " = " + value + "\n";
}

inline api::GroupOptions on_devices(const char* name = "devices") {
  api::GroupOptions options;
  options.memory = MUSTER_CUDA;
  options.name = name;
  return options;
}

// Runs a body on each rank with a group over the whole world, for device memory, and the rank's
// device.
inline void on_ranks(const World& world,
                     const std::function<void(api::Group&, gpu::Device&)>& body) {
  world.run([&](api::Runtime& runtime, uint32_t rank) {
    gpu::Device device(rank);
    api::Group group(runtime, on_devices());
    body(group, device);
  });
}

// A failed call, or code OK.
struct Refused {
  muster_code code = MUSTER_OK;
  std::string cause;
  std::string remedy;
};
inline Refused refusal_of(const std::function<void()>& body) {
  try {
    body();
    return {};
  } catch (const api::Error& error) {
    return {error.code(), error.cause(), error.remedy()};
  }
}

// What the runtime has recorded, as JSON.
inline std::string records_of(const api::Runtime& runtime) {
  char* text = nullptr;
  api::check(muster_runtime_describe(runtime.get(), &text));
  std::string copy = text;
  muster_text_release(text);
  return copy;
}

// Device memory that holds integers.
class Numbers {
 public:
  Numbers(gpu::Device& device, std::vector<int32_t> values)
      : device_(device), count_(values.size()), data_(device.allocate(bytes())) {
    device.copy(data_, values.data(), bytes());
  }
  Numbers(gpu::Device& device, size_t count) : Numbers(device, std::vector<int32_t>(count, -1)) {}
  ~Numbers() { device_.free(data_); }
  Numbers(const Numbers&) = delete;
  Numbers& operator=(const Numbers&) = delete;

  int32_t* data() const { return static_cast<int32_t*>(data_); }
  size_t count() const { return count_; }
  std::vector<int32_t> values() const {
    std::vector<int32_t> values(count_);
    device_.copy(values.data(), data_, bytes());
    return values;
  }

 private:
  uint64_t bytes() const { return count_ * sizeof(int32_t); }
  gpu::Device& device_;
  size_t count_;
  void* data_;
};

inline api::Options on_stream(const gpu::Device& device) {
  api::Options options;
  options.stream = device.stream();
  return options;
}

}  // namespace muster::testing

#endif

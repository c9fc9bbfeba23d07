#include "tests/gpu/peer/cuda.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "plugins/backends/cuda_peer/devices.hpp"
#include "plugins/backends/cuda_peer/nvrtc.hpp"

namespace muster::peer_test {
namespace {

constexpr const char* kSource = R"(
extern "C" __global__ void compare(const unsigned char* a, const unsigned char* b,
                                   unsigned long long bytes, unsigned long long* counter) {
  unsigned long long wrong = 0;
  for (unsigned long long i = blockIdx.x * blockDim.x + threadIdx.x; i < bytes;
       i += gridDim.x * blockDim.x) {
    wrong += a[i] != b[i];
  }
  if (wrong != 0) atomicAdd(counter, wrong);
}
extern "C" __global__ void delay(unsigned long long ns) {
  unsigned long long start, now;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(start));
  do {
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
  } while (now - start < ns);
}
)";

void launch(cu::Function function, cu::Stream stream, unsigned blocks, unsigned threads,
            void** parameters) {
  cu::LaunchConfig config{};
  config.grid[0] = blocks;
  config.grid[1] = config.grid[2] = 1;
  config.block[0] = threads;
  config.block[1] = config.block[2] = 1;
  config.stream = stream;
  MUSTER_MUST(cu::driver().launch(&config, function, parameters, nullptr));
}

}  // namespace

const TestDriver& test_driver() {
  static const TestDriver found = [] {
    TestDriver d;
    void* const library = dlopen("libcuda.so.1", RTLD_NOW);
#define MUSTER_TEST_FIND(member, symbol, parameters)                             \
  d.member = reinterpret_cast<cu::Result(*) parameters>(dlsym(library, symbol)); \
  if (d.member == nullptr) {                                                     \
    std::fprintf(stderr, "the driver lacks %s\n", symbol);                       \
    _exit(3);                                                                    \
  }
    MUSTER_TEST_CUDA_FUNCTIONS(MUSTER_TEST_FIND)
#undef MUSTER_TEST_FIND
    return d;
  }();
  return found;
}

void must(cu::Result result, const char* what) {
  if (result == 0) return;
  std::fprintf(stderr, "FATAL %s: %s\n", what, cu::driver().describe(result).c_str());
  std::fflush(nullptr);
  _exit(3);
}

TestKernels::TestKernels() {
  cu::DeviceHandle device = 0;
  using Get = cu::Result (*)(cu::DeviceHandle*);
  void* const library = dlopen("libcuda.so.1", RTLD_NOW);
  MUSTER_MUST(reinterpret_cast<Get>(dlsym(library, "cuCtxGetDevice"))(&device));
  const cuda_peer::Compiled compiled = cuda_peer::Nvrtc::get().compile(
      {"tests.cu", kSource}, {}, {"--gpu-architecture=" + cuda_peer::architecture_of(device)});
  if (compiled.cubin.empty()) {
    std::fprintf(stderr, "FATAL the tests' kernels: %s\n", compiled.log.c_str());
    _exit(3);
  }
  cu::Module module = nullptr;
  MUSTER_MUST(cu::driver().module_load(&module, compiled.cubin.data()));
  MUSTER_MUST(cu::driver().module_function(&compare_, module, "compare"));
  MUSTER_MUST(cu::driver().module_function(&delay_, module, "delay"));
  if (cu::driver().function_load != nullptr) {
    MUSTER_MUST(cu::driver().function_load(compare_));
    MUSTER_MUST(cu::driver().function_load(delay_));
  }
}

void TestKernels::compare(cu::Stream stream, cu::DevicePointer a, cu::DevicePointer b,
                          uint64_t bytes, cu::DevicePointer counter) const {
  void* parameters[] = {&a, &b, &bytes, &counter};
  launch(compare_, stream, 8, 256, parameters);
}

void TestKernels::delay(cu::Stream stream, uint64_t ns) const {
  void* parameters[] = {&ns};
  launch(delay_, stream, 1, 1, parameters);
}

}  // namespace muster::peer_test

#include "plugins/backends/cuda_peer/driver.hpp"

#include <dlfcn.h>

#include "muster/plugin.hpp"

namespace muster::cuda_peer::cu {
namespace {

Driver open_driver() {
  Driver driver;
  void* const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) {
    const char* const why = dlerror();
    driver.missing = std::string("the NVIDIA driver's library was not found: ") +
                     (why == nullptr ? "libcuda.so.1" : why);
    return driver;
  }
#define MUSTER_CUDA_FIND(member, symbol, parameters) \
  driver.member = reinterpret_cast<Result(*) parameters>(dlsym(library, symbol));
#define MUSTER_CUDA_NEED(member, symbol, parameters)                         \
  MUSTER_CUDA_FIND(member, symbol, parameters)                               \
  if (driver.member == nullptr) {                                            \
    driver.missing += driver.missing.empty() ? "libcuda.so.1 lacks " : ", "; \
    driver.missing += symbol;                                                \
  }
  MUSTER_CUDA_FUNCTIONS(MUSTER_CUDA_NEED)
  MUSTER_CUDA_OPTIONAL_FUNCTIONS(MUSTER_CUDA_FIND)
#undef MUSTER_CUDA_NEED
#undef MUSTER_CUDA_FIND
  return driver;
}

}  // namespace

std::string Driver::text_of(Result result) const {
  const char* name = nullptr;
  const char* text = nullptr;
  if (error_name(result, &name) != 0 || name == nullptr) return "error " + std::to_string(result);
  error_string(result, &text);
  return std::string(name) + " (" + (text == nullptr ? "" : text) + ")";
}

void Driver::check(Result result, const char* what) const {
  if (result == 0) return;
  plugin::fail(MUSTER_UNAVAILABLE, std::string(what) + " failed: " + text_of(result));
}

const Driver& driver() {
  static const Driver opened = open_driver();
  return opened;
}

const Driver& ready_driver() {
  const Driver& d = driver();
  if (!d.missing.empty()) {
    plugin::fail(MUSTER_UNAVAILABLE, d.missing, "install the NVIDIA driver, version 530 or later");
  }
  d.check(d.init(0), "cuInit");
  return d;
}

Current::Current(Context context) : mode_(kRelaxed) {
  driver().check(driver().context_push(context), "cuCtxPushCurrent");
  driver().capture_mode(&mode_);
}

Current::~Current() {
  driver().capture_mode(&mode_);
  Context popped = nullptr;
  driver().context_pop(&popped);
}

}  // namespace muster::cuda_peer::cu

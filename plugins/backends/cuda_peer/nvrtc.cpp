#include "plugins/backends/cuda_peer/nvrtc.hpp"

#include <dlfcn.h>

#include <mutex>

namespace muster::cuda_peer {
namespace {

using Program = void*;

// Newest first; the plain name is there where the toolkit is installed for development.
constexpr const char* kNames[] = {"libnvrtc.so.13",
                                  "libnvrtc.so.12",
                                  "libnvrtc.so.11.2",
                                  "libnvrtc.so",
                                  "/usr/local/cuda/lib64/libnvrtc.so.13",
                                  "/usr/local/cuda/lib64/libnvrtc.so.12",
                                  "/usr/local/cuda/lib64/libnvrtc.so"};

}  // namespace

struct Nvrtc::Functions {
  int (*version)(int*, int*);
  int (*create)(Program*, const char*, const char*, int, const char* const*, const char* const*);
  int (*destroy)(Program*);
  int (*compile)(Program, int, const char* const*);
  int (*cubin_size)(Program, size_t*);
  int (*cubin)(Program, char*);
  int (*log_size)(Program, size_t*);
  int (*log)(Program, char*);
  const char* (*error_string)(int);
};

Nvrtc::Nvrtc() {
  static Functions functions{};
  void* library = nullptr;
  std::string tried;
  for (const char* const name : kNames) {
    library = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library != nullptr) break;
    tried += (tried.empty() ? "" : ", ") + std::string(name);
  }
  if (library == nullptr) {
    missing_ = "NVRTC was not found; tried " + tried;
    return;
  }
  const auto find = [&](auto& member, const char* symbol) {
    member = reinterpret_cast<std::remove_reference_t<decltype(member)>>(dlsym(library, symbol));
    if (member == nullptr) {
      missing_ = missing_.empty() ? std::string("NVRTC lacks ") + symbol : missing_ + ", " + symbol;
    }
  };
  find(functions.version, "nvrtcVersion");
  find(functions.create, "nvrtcCreateProgram");
  find(functions.destroy, "nvrtcDestroyProgram");
  find(functions.compile, "nvrtcCompileProgram");
  find(functions.cubin_size, "nvrtcGetCUBINSize");
  find(functions.cubin, "nvrtcGetCUBIN");
  find(functions.log_size, "nvrtcGetProgramLogSize");
  find(functions.log, "nvrtcGetProgramLog");
  find(functions.error_string, "nvrtcGetErrorString");
  int major = 0;
  int minor = 0;
  if (!missing_.empty()) return;
  if (functions.version(&major, &minor) != 0) {
    missing_ = "NVRTC does not tell its version";
    return;
  }
  functions_ = &functions;
  version_ = std::to_string(major) + "." + std::to_string(minor);
}

const Nvrtc& Nvrtc::get() {
  static const Nvrtc nvrtc;
  return nvrtc;
}

Compiled Nvrtc::compile(const DeviceSource& source, const std::vector<DeviceSource>& headers,
                        const std::vector<std::string>& flags) const {
  if (functions_ == nullptr) return {"", missing_};
  static std::mutex one_at_a_time;
  const std::lock_guard<std::mutex> lock(one_at_a_time);
  const Functions& f = *functions_;
  std::vector<const char*> texts;
  std::vector<const char*> names;
  for (const DeviceSource& header : headers) {
    texts.push_back(header.text);
    names.push_back(header.name);
  }
  std::vector<const char*> options;
  for (const std::string& flag : flags) options.push_back(flag.c_str());
  Program program = nullptr;
  int result = f.create(&program, source.text, source.name, static_cast<int>(headers.size()),
                        texts.data(), names.data());
  if (result != 0) return {"", f.error_string(result)};
  Compiled compiled;
  result = f.compile(program, static_cast<int>(options.size()), options.data());
  size_t size = 0;
  if (f.log_size(program, &size) == 0 && size > 1) {
    compiled.log.resize(size);
    f.log(program, compiled.log.data());
    compiled.log.resize(size - 1);
  }
  if (result == 0) result = f.cubin_size(program, &size);
  if (result == 0) {
    compiled.cubin.resize(size);
    result = f.cubin(program, compiled.cubin.data());
  }
  if (result != 0) {
    compiled.cubin.clear();
    compiled.log = std::string(f.error_string(result)) + "\n" + compiled.log;
  }
  f.destroy(&program);
  return compiled;
}

}  // namespace muster::cuda_peer

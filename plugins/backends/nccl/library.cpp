#include "plugins/backends/nccl/library.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>

#include "muster/plugin.hpp"

namespace muster::nccl {
namespace {

constexpr const char* kRemedy =
    "install NCCL 2.18 or later, or name its file: [backend.nccl] options = { library = \"...\" }";

// 21803 is 2.18.3; before 2.9 two digits were one.
std::string text_of_version(int version) {
  const int scale = version < 10000 ? 1000 : 10000;
  return std::to_string(version / scale) + "." + std::to_string(version % scale / 100) + "." +
         std::to_string(version % 100);
}

// Unless it is set. Rationale: not setenv, which may free the array that other threads are reading
// in getenv. This one's predecessor stays as it is, and so does this one.
void set_in_environment(const char* name, const char* line) {
  if (getenv(name) != nullptr) return;
  size_t count = 0;
  while (environ[count] != nullptr) ++count;
  auto* const lines = new char*[count + 2];
  std::copy(environ, environ + count, lines);
  lines[count] = const_cast<char*>(line);
  lines[count + 1] = nullptr;
  __atomic_store_n(&environ, lines, __ATOMIC_RELEASE);
}

template <typename Function>
void find(void* library, const char* symbol, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, symbol));
}

std::string path_of(const void* function, const std::string& otherwise) {
  Dl_info info{};
  const bool known = dladdr(function, &info) != 0 && info.dli_fname != nullptr;
  return known ? info.dli_fname : otherwise;
}

muster_code code_of(Result result) {
  switch (result) {
    case kInvalidArgument:
    case kInvalidUsage:
      return MUSTER_INVALID_ARGUMENT;
    case kRemoteError:
      return MUSTER_PEER_LOST;
    case kTimeout:
      return MUSTER_DEADLINE_EXCEEDED;
    default:
      return MUSTER_INTERNAL;
  }
}

}  // namespace

void Library::switch_multicast_off() {
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  set_in_environment("NCCL_NVLS_ENABLE", "NCCL_NVLS_ENABLE=0");
}

const Library& Library::open(const std::string& name) {
  static std::mutex mutex;
  // Never destroyed: communicators may end while the process exits.
  static auto& known = *new std::map<std::string, std::unique_ptr<Library>>;
  const std::lock_guard<std::mutex> lock(mutex);
  std::unique_ptr<Library>& library = known[name];
  if (library == nullptr) library.reset(new Library(name));
  return *library;
}

Library::Library(const std::string& name) : path_(name) {
  // Rationale: not RTLD_GLOBAL, for other vendors' libraries have the same symbols.
  void* const handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* const why = dlerror();
    plugin::fail(MUSTER_UNAVAILABLE,
                 name + " could not be opened: " + (why == nullptr ? "no reason given" : why),
                 kRemedy);
  }
  find(handle, "ncclGetVersion", get_version);
  if (get_version == nullptr)
    plugin::fail(MUSTER_UNAVAILABLE, name + " lacks ncclGetVersion", kRemedy);
  path_ = path_of(reinterpret_cast<const void*>(get_version), name);
  const Result result = get_version(&version_);
  if (result != kSuccess)
    plugin::fail(MUSTER_UNAVAILABLE,
                 path_ + ": ncclGetVersion failed with " + std::to_string(result));
  const std::string who = path_ + " is NCCL " + version_text();
  if (version_ < kOldest)
    plugin::fail(MUSTER_UNAVAILABLE, who + ", 2.18 is the oldest served", kRemedy);
  if (version_ / 10000 != kNewestMajor)
    plugin::fail(MUSTER_UNAVAILABLE, who + ", of a major version that is not known here", kRemedy);
  std::string missing;
  const auto require = [&](const void* function, const char* symbol) {
    if (function == nullptr) missing += std::string(missing.empty() ? "" : ", ") + symbol;
  };
#define MUSTER_NCCL_FUNCTION(name, symbol, parameters) \
  find(handle, symbol, name);                          \
  require(reinterpret_cast<const void*>(name), symbol);
#define MUSTER_NCCL_OPTIONAL(name, symbol, parameters) find(handle, symbol, name);
#include "plugins/backends/nccl/functions.def"
#undef MUSTER_NCCL_FUNCTION
#undef MUSTER_NCCL_OPTIONAL
  find(handle, "ncclGetErrorString", error_string_);
  find(handle, "ncclGetLastError", last_error_);
  if (!missing.empty()) plugin::fail(MUSTER_UNAVAILABLE, who + " and lacks " + missing, kRemedy);
}

std::string Library::version_text() const { return text_of_version(version_); }

uint32_t Library::features() const {
  uint32_t features = 0;
  if (all_to_all != nullptr) features |= kFeatureAllToAll;
  if (gather != nullptr) features |= kFeatureGather;
  if (scatter != nullptr) features |= kFeatureScatter;
  if (window_register != nullptr && window_deregister != nullptr) features |= kFeatureWindows;
  return features;
}

std::string Library::describe(Result result, Comm comm) const {
  std::string text = error_string_ == nullptr ? "error " + std::to_string(result)
                                              : std::string(error_string_(result));
  const char* const last = last_error_ == nullptr ? nullptr : last_error_(comm);
  if (last != nullptr && *last != '\0') text += std::string(": ") + last;
  return text;
}

void Library::fail(Result result, const std::string& what, Comm comm) const {
  plugin::fail(code_of(result), what + ": " + describe(result, comm),
               "run with NCCL_DEBUG=WARN, and NCCL says more");
}

}  // namespace muster::nccl

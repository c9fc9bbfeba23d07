#include "tests/unit/kernels/kernel_sources.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstring>

#include "core/kernels/registry.hpp"
#include "muster/testing/fake_host.hpp"

namespace muster {
namespace {

std::string pack_file(const std::string& architecture) {
  std::string id = "kernels_" + architecture;
  for (char& c : id) c = c == '-' ? '_' : c;
  return fmt::format("{}/{}.so", MUSTER_TEST_PLUGIN_DIRECTORY, id);
}

bool same(const char* wanted, const char* offered) {
  return wanted == nullptr || std::strcmp(wanted, offered) == 0;
}

}  // namespace

std::vector<std::string> KernelSource::names() {
  return {"generic", "x86-64-v2", "x86-64-v3", "x86-64-v4"};
}

KernelSource::KernelSource(const std::string& name) : generic_(name == "generic") {
  if (!generic_) open(name.find('/') == std::string::npos ? pack_file(name) : name);
}

void KernelSource::open(const std::string& path) {
  file_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (file_ == nullptr) {
    why_not_ = dlerror();
    return;
  }
  entry_ = static_cast<const muster_entry*>(dlsym(file_, MUSTER_PLUGIN_ENTRY_SYMBOL));
  static testing::FakeHost host;
  if (muster_status* status = entry_->open(host.get(), &instance_); status != nullptr) {
    why_not_ = testing::FakeHost::take(status).cause;
    return;
  }
  kernels_ = static_cast<const muster_kernels*>(
      entry_->get_interface(instance_, MUSTER_KERNELS_INTERFACE));
  if (kernels_ == nullptr || kernels_->variant_count(instance_) == 0) why_not_ = "no variants";
}

KernelSource::~KernelSource() {
  if (instance_ != nullptr) entry_->close(instance_);
}

std::vector<const muster_kernel_variant*> KernelSource::variants() const {
  std::vector<const muster_kernel_variant*> all;
  if (kernels_ == nullptr) return all;
  for (uint32_t i = 0; i < kernels_->variant_count(instance_); ++i)
    all.push_back(kernels_->variant(instance_, i));
  return all;
}

muster_kernel_function KernelSource::find(const muster_kernel_key& key) const {
  if (generic_) return find_kernel(key);
  const muster_kernel_variant* best = nullptr;
  for (const muster_kernel_variant* variant : variants()) {
    const muster_kernel_key& offered = variant->key;
    if (offered.dtype != key.dtype || offered.redop != key.redop ||
        !same(key.family, offered.family) || !same(key.algorithm, offered.algorithm)) {
      continue;
    }
    if (best == nullptr || variant->score > best->score) best = variant;
  }
  return best == nullptr ? nullptr : best->function;
}

}  // namespace muster

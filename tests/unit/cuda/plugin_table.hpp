// The table of the plugin "cuda", opened as the runtime would, over the simulated driver.
#ifndef MUSTER_TESTS_UNIT_CUDA_PLUGIN_TABLE_HPP
#define MUSTER_TESTS_UNIT_CUDA_PLUGIN_TABLE_HPP

#include <dlfcn.h>
#include <gtest/gtest.h>

#include "muster/device.h"
#include "muster/testing/fake_host.hpp"

namespace muster::testing {

class CudaPlugin : public ::testing::Test {
 protected:
  CudaPlugin() {
    void* const file = dlopen(CUDA_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    EXPECT_NE(file, nullptr) << dlerror();
    entry_ = static_cast<const muster_entry*>(dlsym(file, "muster_plugin_entry"));
    EXPECT_TRUE(FakeHost::take(entry_->open(host_.get(), &instance_)).ok());
    table_ = static_cast<const muster_device*>(
        entry_->get_interface(instance_, MUSTER_DEVICE_INTERFACE));
  }
  ~CudaPlugin() override {
    entry_->close(instance_);
    EXPECT_EQ(FakeHost::live_statuses(), 0);
  }

  void* allocate(uint64_t bytes, uint32_t device = 0) {
    void* memory = nullptr;
    const Outcome outcome = FakeHost::take(table_->allocate(instance_, device, bytes, &memory));
    EXPECT_TRUE(outcome.ok()) << outcome.cause;
    return memory;
  }
  void copy(void* dst, const void* src, uint64_t bytes) {
    const Outcome outcome = FakeHost::take(table_->copy(instance_, dst, src, bytes, nullptr));
    EXPECT_TRUE(outcome.ok()) << outcome.cause;
  }

  FakeHost host_;
  const muster_entry* entry_ = nullptr;
  muster_instance* instance_ = nullptr;
  const muster_device* table_ = nullptr;
};

}  // namespace muster::testing

#endif

// A plugin that gives muster.device/1 for cuda memory, which is the host's here, and counts what it
// is asked for. One per process: its table is static.
#ifndef MUSTER_TESTS_UNIT_TENSORS_FAKE_DEVICE_HPP
#define MUSTER_TESTS_UNIT_TENSORS_FAKE_DEVICE_HPP

#include <atomic>
#include <cstdint>

#include "muster/device.h"
#include "muster/entry.h"

namespace muster::testing {

struct FakeDevice {
  // For World::with. Without copy_2d it is a plugin that a runtime refuses.
  static const muster_entry* entry(bool with_copy_2d = true);
  static void forget();

  static std::atomic<int> allocated;
  static std::atomic<int> freed;
  static std::atomic<int> copies_2d;
};

}  // namespace muster::testing

#endif

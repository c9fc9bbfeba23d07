#include "tests/unit/tensors/fake_device.hpp"

#include <cstdlib>
#include <cstring>

namespace muster::testing {
namespace {

muster_status* allocate(muster_instance*, uint32_t, uint64_t bytes, void** out) {
  ++FakeDevice::allocated;
  *out = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  return nullptr;
}

void release(muster_instance*, uint32_t, void* pointer) {
  if (pointer == nullptr) return;
  ++FakeDevice::freed;
  std::free(pointer);
}

muster_status* copy(muster_instance*, void* dst, const void* src, uint64_t bytes,
                    const muster_stream*) {
  std::memcpy(dst, src, bytes);
  return nullptr;
}

muster_status* copy_2d(muster_instance*, void* dst, uint64_t dst_stride, const void* src,
                       uint64_t src_stride, uint64_t row_bytes, uint64_t rows,
                       const muster_stream*) {
  ++FakeDevice::copies_2d;
  for (uint64_t row = 0; row < rows; ++row) {
    std::memcpy(static_cast<char*>(dst) + row * dst_stride,
                static_cast<const char*>(src) + row * src_stride, row_bytes);
  }
  return nullptr;
}

muster_device make_table(bool with_copy_2d) {
  muster_device table{};
  table.struct_size = MUSTER_DEVICE_SIZE;
  table.memory = MUSTER_CUDA;
  table.stream_kind = MUSTER_STREAM_CUDA;
  table.allocate = allocate;
  table.free = release;
  table.copy = copy;
  if (with_copy_2d) table.copy_2d = copy_2d;
  return table;
}

template <bool kWithCopy2d>
const void* get_interface(muster_instance*, const char* name) {
  static const muster_device table = make_table(kWithCopy2d);
  return std::strcmp(name, MUSTER_DEVICE_INTERFACE) == 0 ? &table : nullptr;
}

muster_status* open(const muster_host*, muster_instance** out) {
  static char instance;
  *out = reinterpret_cast<muster_instance*>(&instance);
  return nullptr;
}

void close(muster_instance*) {}

template <bool kWithCopy2d>
muster_entry make_entry() {
  muster_entry entry{};
  entry.magic = MUSTER_PLUGIN_MAGIC;
  entry.struct_size = MUSTER_PLUGIN_ENTRY_SIZE;
  entry.abi_major = MUSTER_ABI_MAJOR;
  entry.abi_minor = MUSTER_ABI_MINOR;
  entry.min_host_minor = MUSTER_ABI_OLDEST_MINOR;
  std::strcpy(entry.id, "fake_device");
  std::strcpy(entry.version, "1.0.0");
  std::strcpy(entry.vendor, "muster::testing");
  std::strcpy(entry.build_tag, MUSTER_BUILD_TAG);
  std::strcpy(entry.interfaces, MUSTER_DEVICE_INTERFACE);
  entry.open = open;
  entry.close = close;
  entry.get_interface = get_interface<kWithCopy2d>;
  return entry;
}

}  // namespace

std::atomic<int> FakeDevice::allocated{0};
std::atomic<int> FakeDevice::freed{0};
std::atomic<int> FakeDevice::copies_2d{0};

const muster_entry* FakeDevice::entry(bool with_copy_2d) {
  static const muster_entry whole = make_entry<true>();
  static const muster_entry lacking = make_entry<false>();
  return with_copy_2d ? &whole : &lacking;
}

void FakeDevice::forget() { allocated = freed = copies_2d = 0; }

}  // namespace muster::testing

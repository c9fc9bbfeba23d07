#include "tests/unit/query/pretended_builder.hpp"

#include <atomic>
#include <cstring>

#include "core/base/status.hpp"

namespace muster {
namespace {

constexpr const char* kSource = "0123456789abcdef";
std::atomic<int> count{0};
std::string failure;

constexpr muster_variants kBuilder = {
    MUSTER_VARIANTS_SIZE, 0,
    [](muster_instance*, const muster_image_sink* sink) -> muster_status* {
      sink->text(sink->context, "toy_90");
      return nullptr;
    },
    [](muster_instance*, const char*, const muster_variant_sink* sink) -> muster_status* {
      const DeclaredVariant variant = pretended_variant();
      const muster_variant view = variant.view();
      sink->put(sink->context, &view);
      return nullptr;
    },
    [](muster_instance*, const muster_variant* variant,
       const muster_image_sink* sink) -> muster_status* {
      ++count;
      if (!failure.empty()) return Status(MUSTER_UNAVAILABLE, failure).release();
      const Result<DeclaredVariant> read = read_variant(*variant);
      const std::string image = "image of " + read->name();
      sink->image(sink->context, image.data(), image.size());
      return nullptr;
    }};

const muster_kernel_variant kPacked = {
    MUSTER_KERNEL_VARIANT_SIZE,
    0,
    {MUSTER_KERNEL_KEY_SIZE, MUSTER_BF16, MUSTER_REDOP_NONE, 2, "toy/1", "sums", "toy_90"},
    "0123456789abcdef/pretended-1",
    nullptr,
    "packed",
    6};

constexpr muster_kernels kPack = {
    MUSTER_KERNELS_SIZE, 0, [](muster_instance*) -> uint32_t { return 1; },
    [](muster_instance*, uint32_t index) { return index == 0 ? &kPacked : nullptr; }};

}  // namespace

DeclaredVariant pretended_variant() {
  return {"toy/1", "sums", "toy_90", MUSTER_BF16, MUSTER_REDOP_NONE, 2, kSource, "pretended-1"};
}

void PretendedBuilder::reset() {
  count = 0;
  failure.clear();
}
int PretendedBuilder::builds() { return count; }
void PretendedBuilder::fail_with(const std::string& cause) { failure = cause; }
VariantBuilder PretendedBuilder::builder() { return {&kBuilder, nullptr}; }

const muster_kernels* pretended_pack_table() { return &kPack; }

const muster_entry pretended_pack = {
    MUSTER_PLUGIN_MAGIC,
    MUSTER_PLUGIN_ENTRY_SIZE,
    MUSTER_ABI_MAJOR,
    MUSTER_ABI_MINOR,
    MUSTER_ABI_OLDEST_MINOR,
    "pretended_pack",
    "1",
    "test",
    MUSTER_BUILD_TAG,
    MUSTER_KERNELS_INTERFACE,
    "",
    "",
    [](const muster_host*, muster_instance** out) -> muster_status* {
      static char instance;
      *out = reinterpret_cast<muster_instance*>(&instance);
      return nullptr;
    },
    [](muster_instance*) {},
    [](muster_instance*, const char* name) -> const void* {
      return std::strcmp(name, MUSTER_KERNELS_INTERFACE) == 0 ? &kPack : nullptr;
    }};

}  // namespace muster

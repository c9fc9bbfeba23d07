#include "tests/gpu/peer/image_host.hpp"

#include "core/kernels/image_store.hpp"
#include "muster/entry.h"

extern "C" const muster_entry muster_plugin_entry;

namespace muster::peer_test {
namespace {

const ImageHost& of(const muster_host* host) { return *static_cast<const ImageHost*>(host); }

ImageKey key_of(const muster_variant& variant) {
  const muster_kernel_key& key = variant.key;
  return {std::string(key.algorithm) + "." + std::to_string(key.dtype) + "." +
              std::to_string(key.world_size) + "." + key.architecture,
          variant.source, variant.toolchain};
}

MadeImage build(const ImageHost& host, const muster_variant& variant) {
  MadeImage made;
  const muster_image_sink sink{
      MUSTER_IMAGE_SINK_SIZE, 0, &made,
      [](void* context, const void* bytes, uint64_t count) {
        static_cast<MadeImage*>(context)->image.assign(static_cast<const char*>(bytes), count);
      },
      [](void* context, const char* text) { static_cast<MadeImage*>(context)->log += text; }};
  const auto* const table = static_cast<const muster_variants*>(
      muster_plugin_entry.get_interface(host.instance, MUSTER_VARIANTS_INTERFACE));
  muster_status* const status = table->build(host.instance, &variant, &sink);
  if (status == nullptr) return made;
  made = {"", std::string(host.status_cause(status)) + "\n" + made.log};
  host.status_release(status);
  return made;
}

}  // namespace

const muster_images* kept_images() {
  static constexpr muster_images kTable = {
      MUSTER_IMAGES_SIZE, 0,
      [](const muster_host* host, const muster_variant* variant) -> muster_image_state {
        return ImageStore(of(host).images).find(key_of(*variant)) ? MUSTER_IMAGE_READY
                                                                  : MUSTER_IMAGE_BUILDABLE;
      },
      [](const muster_host* host, const muster_variant* variant,
         const muster_image_sink* sink) -> muster_status* {
        const KeptImage kept = ImageStore(of(host).images).get(key_of(*variant), [&] {
          return build(of(host), *variant);
        });
        if (kept.state == KeptImage::State::kFailed) {
          return host->status_make(host, MUSTER_UNAVAILABLE, kept.text.c_str(), nullptr);
        }
        sink->image(sink->context, kept.image.data(), kept.image.size());
        return nullptr;
      }};
  return &kTable;
}

}  // namespace muster::peer_test

// C++17, header-only, for authors of backends that build kernels for devices: variants.h as
// classes.
//
// A Backend (plugin.hpp) gets the table of muster.variants/1 out of three members,
//
//   void architectures(muster::plugin::ImageSink sink);              // sink.text("sm_90")
//   void list_variants(const std::string& architecture, muster::plugin::VariantSink sink);
//   void build_variant(const muster_variant& variant, muster::plugin::ImageSink sink);
//
// by giving, in its member `interface`, what variants_interface<Backend>(name) gives, and by naming
// MUSTER_VARIANTS_INTERFACE in its record. They may throw as everything there. Thread rule: as
// variants.h says.
#ifndef MUSTER_VARIANTS_HPP
#define MUSTER_VARIANTS_HPP

#include <cstring>
#include <string>

#include "muster/plugin.hpp"
#include "muster/variants.h"

namespace muster::plugin {

class ImageSink {
 public:
  explicit ImageSink(const muster_image_sink* sink) : sink_(sink) {}
  void image(const std::string& bytes) const {
    sink_->image(sink_->context, bytes.data(), bytes.size());
  }
  void text(const std::string& text) const { sink_->text(sink_->context, text.c_str()); }

 private:
  const muster_image_sink* sink_;
};

class VariantSink {
 public:
  explicit VariantSink(const muster_variant_sink* sink) : sink_(sink) {}
  void put(const muster_variant& variant) const { sink_->put(sink_->context, &variant); }

 private:
  const muster_variant_sink* sink_;
};

// The images that the runtime keeps for this plugin. Valid while the instance lives.
class Images {
 public:
  explicit Images(Host host)
      : host_(host), table_(host.interface<muster_images>(MUSTER_IMAGES_INTERFACE)) {}
  // False: this runtime keeps none, and nothing else may be asked.
  bool kept() const { return table_ != nullptr; }
  muster_image_state state(const muster_variant& variant) const {
    return table_->state(host_.get(), &variant);
  }
  std::string get(const muster_variant& variant) const {
    std::string image;
    muster_image_sink sink{};
    sink.struct_size = MUSTER_IMAGE_SINK_SIZE;
    sink.context = &image;
    sink.image = [](void* context, const void* bytes, uint64_t count) {
      static_cast<std::string*>(context)->assign(static_cast<const char*>(bytes), count);
    };
    sink.text = [](void*, const char*) {};
    check(table_->get(host_.get(), &variant, &sink));
    return image;
  }

 private:
  Host host_;
  const muster_images* table_;
};

namespace detail {

template <typename B>
struct Variants {
  static Instance<B>* instance_of(muster_instance* i) { return reinterpret_cast<Instance<B>*>(i); }
  static muster_status* architectures(muster_instance* i, const muster_image_sink* sink) noexcept {
    return guard(instance_of(i)->host,
                 [&] { instance_of(i)->backend.architectures(ImageSink(sink)); });
  }
  static muster_status* list(muster_instance* i, const char* architecture,
                             const muster_variant_sink* sink) noexcept {
    return guard(instance_of(i)->host,
                 [&] { instance_of(i)->backend.list_variants(architecture, VariantSink(sink)); });
  }
  static muster_status* build(muster_instance* i, const muster_variant* variant,
                              const muster_image_sink* sink) noexcept {
    return guard(instance_of(i)->host,
                 [&] { instance_of(i)->backend.build_variant(*variant, ImageSink(sink)); });
  }
  static constexpr muster_variants table = {MUSTER_VARIANTS_SIZE, 0, architectures, list, build};
};

}  // namespace detail

template <typename B>
const void* variants_interface(const char* name) {
  return std::strcmp(name, MUSTER_VARIANTS_INTERFACE) == 0 ? &detail::Variants<B>::table : nullptr;
}

}  // namespace muster::plugin

#endif

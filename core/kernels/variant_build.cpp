#include "core/kernels/variant_build.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "core/base/names.hpp"

namespace muster {
namespace {

constexpr size_t kMostWord = 63;

bool is_printable_word(const char* text) {
  return text != nullptr && std::strlen(text) <= kMostWord &&
         std::all_of(text, text + std::strlen(text), [](char c) { return c > ' ' && c < 0x7f; });
}

// As part of a file's name.
std::string in_name(std::string word) {
  std::replace(word.begin(), word.end(), '/', '-');
  return word;
}

struct Said {
  std::string image;
  std::vector<std::string> texts;
};

muster_image_sink sink_into(Said& said) {
  muster_image_sink sink{};
  sink.struct_size = MUSTER_IMAGE_SINK_SIZE;
  sink.context = &said;
  sink.image = [](void* context, const void* bytes, uint64_t count) {
    static_cast<Said*>(context)->image.assign(static_cast<const char*>(bytes), count);
  };
  sink.text = [](void* context, const char* text) {
    static_cast<Said*>(context)->texts.emplace_back(text == nullptr ? "" : text);
  };
  return sink;
}

}  // namespace

std::string DeclaredVariant::name() const {
  std::string text = fmt::format("{}.{}.{}", in_name(family), in_name(algorithm),
                                 dtype == MUSTER_DTYPE_NONE ? "any" : dtype_name(dtype));
  if (redop != MUSTER_REDOP_NONE) text += fmt::format(".{}", redop_name(redop));
  if (world_size != 0) text += fmt::format(".{}", world_size);
  return text + "." + in_name(architecture);
}

muster_variant DeclaredVariant::view() const {
  return {MUSTER_VARIANT_SIZE,
          0,
          {MUSTER_KERNEL_KEY_SIZE, dtype, redop, world_size, family.c_str(), algorithm.c_str(),
           architecture.c_str()},
          source.c_str(),
          toolchain.c_str()};
}

Result<DeclaredVariant> read_variant(const muster_variant& variant) {
  const muster_kernel_key& key = variant.key;
  const auto filled = [](const char* text) { return is_printable_word(text) && *text != '\0'; };
  if (!MUSTER_HAS_FIELD(&variant, muster_variant, toolchain) || !filled(key.family) ||
      !filled(key.algorithm) || !filled(key.architecture) || !filled(variant.source) ||
      !is_printable_word(variant.toolchain) || key.dtype >= MUSTER_DTYPE_END ||
      key.redop >= MUSTER_REDOP_END) {
    return Status(MUSTER_INTERNAL, "a variant is declared with words that are missing or too long",
                  "report this to the plugin's vendor");
  }
  return DeclaredVariant{key.family, key.algorithm,  key.architecture, key.dtype,
                         key.redop,  key.world_size, variant.source,   variant.toolchain};
}

Result<std::vector<std::string>> VariantBuilder::architectures() const {
  Said said;
  const muster_image_sink sink = sink_into(said);
  if (Status status(table->architectures(instance, &sink)); !status.ok()) return status;
  return std::move(said.texts);
}

Result<std::vector<DeclaredVariant>> VariantBuilder::list(const std::string& architecture) const {
  struct Context {
    std::vector<DeclaredVariant> variants;
    Status wrong;
  } context;
  muster_variant_sink sink{};
  sink.struct_size = MUSTER_VARIANT_SINK_SIZE;
  sink.context = &context;
  sink.put = [](void* pointer, const muster_variant* variant) {
    Context& self = *static_cast<Context*>(pointer);
    Result<DeclaredVariant> read = read_variant(*variant);
    if (read.ok()) {
      self.variants.push_back(std::move(*read));
    } else {
      self.wrong = read.take_status();
    }
  };
  if (Status status(table->list(instance, architecture.c_str(), &sink)); !status.ok())
    return status;
  if (!context.wrong.ok()) return std::move(context.wrong);
  return std::move(context.variants);
}

MadeImage VariantBuilder::build(const DeclaredVariant& variant) const {
  Said said;
  const muster_image_sink sink = sink_into(said);
  const muster_variant view = variant.view();
  const Status status(table->build(instance, &view, &sink));
  std::string log = fmt::format("{}", fmt::join(said.texts, "\n"));
  if (!status.ok()) return {"", status.message() + "\n" + log};
  if (said.image.empty()) return {"", "the plugin gave no image\n" + log};
  return {std::move(said.image), std::move(log)};
}

BuildOutcome build_variant(const ImageStore& store, const VariantBuilder& builder,
                           const DeclaredVariant& variant) {
  const auto began = std::chrono::steady_clock::now();
  const KeptImage kept = store.get(variant.image_key(), [&] { return builder.build(variant); });
  BuildOutcome outcome{variant.name()};
  outcome.state = static_cast<BuildOutcome::State>(kept.state);
  outcome.text = kept.text;
  // What cannot be kept is of no use to anybody later.
  if (kept.state == KeptImage::State::kBuilt && !store.find(variant.image_key()))
    outcome.state = BuildOutcome::State::kFailed;
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return outcome;
}

}  // namespace muster

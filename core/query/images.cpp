#include "core/query/images.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/digest.hpp"
#include "core/base/log.hpp"
#include "core/base/private_directory.hpp"
#include "core/kernels/exam.hpp"
#include "core/query/kernel_table.hpp"
#include "core/query/plugin.hpp"
#include "core/query/plugin_host.hpp"

namespace muster {
namespace {

// What a pack's line of this variant begins with; the toolchain is left open.
std::string line_start(const DeclaredVariant& variant) {
  return variant.name() + " " + variant.source + "/";
}

}  // namespace

// A plugin with images, opened once one is asked for.
struct Images::Pack {
  FoundPlugin found;
  std::vector<std::string> lines;
  bool tried = false;
  std::unique_ptr<Plugin> plugin;

  const std::string* line_of(const DeclaredVariant& variant) const {
    const std::string start = line_start(variant);
    const auto line = std::find_if(lines.begin(), lines.end(),
                                   [&](const std::string& l) { return l.starts_with(start); });
    return line == lines.end() ? nullptr : &*line;
  }
};

ImageStore image_store(const Config& config) {
  const std::string& chosen = config.plugins_cache_dir.value;
  return ImageStore(chosen.empty() ? user_cache_directory("images") : chosen + "/images");
}

Images::Images() = default;
Images::~Images() = default;

void Images::configure(const Config& config, Records& records) {
  config_ = &config;
  records_ = &records;
  store_ = image_store(config);
}

void Images::add_pack(const FoundPlugin& found, const std::vector<std::string>& images) {
  auto pack = std::make_unique<Pack>();
  pack->found = found;
  pack->lines = images;
  packs_.push_back(std::move(pack));
}

Images::Pack* Images::find_pack(const DeclaredVariant& variant) const {
  const auto pack = std::find_if(packs_.begin(), packs_.end(),
                                 [&](const auto& p) { return p->line_of(variant) != nullptr; });
  return pack == packs_.end() ? nullptr : pack->get();
}

std::map<std::string, std::string> Images::packs() const {
  std::map<std::string, std::string> digests;
  for (const auto& pack : packs_) {
    digests["images of " + pack->found.entry.id] =
        digest_of(fmt::format("{}", fmt::join(pack->lines, "\n"))).text();
  }
  return digests;
}

std::string Images::pack_of(const DeclaredVariant& variant) const {
  const Pack* const pack = find_pack(variant);
  return pack == nullptr ? "" : pack->found.path;
}

std::optional<std::string> Images::from_pack(const DeclaredVariant& variant) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  Pack* const pack = find_pack(variant);
  if (pack == nullptr) return std::nullopt;
  if (!pack->tried) {
    pack->tried = true;
    Result<std::unique_ptr<Plugin>> plugin =
        Plugin::open(pack->found, *config_, *records_, nullptr);
    if (plugin.ok() && (*plugin)->kernels() != nullptr) {
      pack->plugin = std::move(*plugin);
    } else {
      const std::string why =
          plugin.ok() ? "it gives no " MUSTER_KERNELS_INTERFACE : plugin.status().message();
      log_warn(fmt::format("the images of {} cannot be used: {}", pack->found.path, why));
    }
  }
  if (pack->plugin == nullptr) return std::nullopt;
  const muster_kernels& table = *pack->plugin->kernels();
  const std::string& line = *pack->line_of(variant);
  const uint32_t count = table.variant_count(pack->plugin->instance());
  for (uint32_t i = 0; i < count; ++i) {
    const muster_kernel_variant* const has = table.variant(pack->plugin->instance(), i);
    if (has != nullptr && is_image(*has) && image_line(*has) == line)
      return std::string(static_cast<const char*>(has->image), has->image_bytes);
  }
  return std::nullopt;
}

bool Images::builds(const DeclaredVariant& variant, const VariantBuilder& builder) const {
  return config_ != nullptr && config_->kernels_build.value == "group" &&
         builder.table != nullptr && !variant.toolchain.empty();
}

muster_image_state Images::state(const DeclaredVariant& variant,
                                 const VariantBuilder& builder) const {
  if (find_pack(variant) != nullptr || store_.find(variant.image_key())) return MUSTER_IMAGE_READY;
  return builds(variant, builder) ? MUSTER_IMAGE_BUILDABLE : MUSTER_IMAGE_MISSING;
}

Result<std::string> Images::get(const DeclaredVariant& variant,
                                const VariantBuilder& builder) const {
  if (std::optional<std::string> packed = from_pack(variant)) return std::move(*packed);
  if (!builds(variant, builder)) {
    if (std::optional<std::string> kept = store_.find(variant.image_key())) return std::move(*kept);
    return Status(
        MUSTER_UNAVAILABLE, fmt::format("kernels {} are not ready on this machine", variant.name()),
        variant.toolchain.empty()
            ? "install a pack of them, or what builds them: muster precompile says what is missing"
            : "run muster precompile, or set [kernels] build = \"group\"");
  }
  KeptImage kept = store_.get(variant.image_key(), [&] { return builder.build(variant); });
  if (kept.state != KeptImage::State::kFailed) return std::move(kept.image);
  return Status(MUSTER_UNAVAILABLE,
                fmt::format("kernels {} cannot be built: {}", variant.name(), kept.text),
                "muster precompile builds them outside of a program");
}

const muster_images* images_interface() {
  static constexpr muster_images kTable = {
      MUSTER_IMAGES_SIZE, 0,
      [](const muster_host* host, const muster_variant* variant) -> muster_image_state {
        const PluginHost& self = PluginHost::of(host);
        const Result<DeclaredVariant> read = read_variant(*variant);
        return read.ok() ? self.kernels()->images().state(*read, self.variants())
                         : muster_image_state{MUSTER_IMAGE_MISSING};
      },
      [](const muster_host* host, const muster_variant* variant,
         const muster_image_sink* sink) -> muster_status* {
        return at_boundary([&]() -> Status {
          const PluginHost& self = PluginHost::of(host);
          const Result<DeclaredVariant> read = read_variant(*variant);
          if (!read.ok()) return read.status().copy();
          Result<std::string> image = self.kernels()->images().get(*read, self.variants());
          if (!image.ok()) return image.take_status();
          sink->image(sink->context, image->data(), image->size());
          return Status();
        });
      }};
  return &kTable;
}

}  // namespace muster

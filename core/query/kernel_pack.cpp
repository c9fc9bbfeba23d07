#include "core/query/kernel_pack.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/digest.hpp"
#include "core/base/log.hpp"
#include "muster/kernels.h"

namespace muster {
namespace {

constexpr size_t kPairs = size_t{MUSTER_DTYPE_END} * MUSTER_REDOP_END;

size_t place_of(size_t group, muster_dtype dtype, muster_redop redop) {
  return group * kPairs + dtype * MUSTER_REDOP_END + redop;
}

bool is_of(const muster_kernel_variant& variant, const KernelGroup& group) {
  const muster_kernel_key& key = variant.key;
  return group.score == variant.score && group.world_size == key.world_size &&
         group.family == key.family && group.algorithm == key.algorithm &&
         group.architecture == key.architecture && group.digest == variant.digest &&
         group.has(key.dtype, key.redop);
}

}  // namespace

KernelPack::KernelPack(FoundPlugin found, PackReport report, const Config& config, Records& records)
    : id_(found.entry.id),
      path_(found.path),
      found_(std::move(found)),
      report_(std::move(report)),
      config_(&config),
      records_(&records) {}

KernelPack::KernelPack(std::string id, std::string path, PackReport report, const Config& config,
                       Records& records)
    : id_(std::move(id)),
      path_(std::move(path)),
      report_(std::move(report)),
      config_(&config),
      records_(&records) {}

std::string KernelPack::digest() const {
  std::vector<std::string> lines;
  for (const KernelGroup& group : report_.ready) lines.push_back(write_group(group));
  std::sort(lines.begin(), lines.end());
  return digest_of(fmt::format("{}", fmt::join(lines, "\n"))).text();
}

void KernelPack::open() {
  tried_ = true;
  functions_.assign(report_.ready.size() * kPairs, nullptr);
  const auto fail = [this](const std::string& reason) {
    records_->add({Stage::kLoad, "kernels of " + id_, "left out", reason, path_});
    log_warn(fmt::format("the kernels of {} cannot be used: {}", path_, reason));
  };
  if (!found_) {
    found_ = judge_file(path_, *config_);
    if (found_->state != PluginState::kUsable) return fail(found_->reason);
  }
  Result<std::unique_ptr<Plugin>> plugin = Plugin::open(*found_, *config_, *records_, nullptr);
  if (!plugin.ok()) return fail(plugin.status().message());
  plugin_ = std::move(*plugin);
  const muster_kernels* const table = plugin_->kernels();
  if (table == nullptr) return fail("it gives no " MUSTER_KERNELS_INTERFACE);
  const uint32_t count = table->variant_count(plugin_->instance());
  for (uint32_t i = 0; i < count; ++i) {
    const muster_kernel_variant* const variant = table->variant(plugin_->instance(), i);
    if (variant == nullptr || !MUSTER_HAS_FIELD(variant, muster_kernel_variant, image_bytes) ||
        variant->key.family == nullptr || variant->key.algorithm == nullptr ||
        variant->key.architecture == nullptr || variant->digest == nullptr) {
      continue;
    }
    for (size_t g = 0; g < report_.ready.size(); ++g) {
      if (!is_of(*variant, report_.ready[g])) continue;
      functions_[place_of(g, variant->key.dtype, variant->key.redop)] = variant->function;
    }
  }
}

muster_kernel_function KernelPack::function(const KernelGroup& group, muster_dtype dtype,
                                            muster_redop redop) {
  if (!tried_) open();
  return functions_[place_of(static_cast<size_t>(&group - report_.ready.data()), dtype, redop)];
}

}  // namespace muster

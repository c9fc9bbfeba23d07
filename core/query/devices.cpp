#include "core/query/devices.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/names.hpp"

namespace muster {

void Devices::add(const Plugin& plugin, Records& records) {
  const muster_device* const table = plugin.device();
  if (table == nullptr) return;
  const std::string subject = fmt::format("{} memory", memory_name(table->memory));
  Device& device = devices_[table->memory];
  if (device.table != nullptr) {
    records.add({Stage::kLoad, subject, "left out",
                 fmt::format("plugin {} is not asked: {} knows it already", plugin.id(),
                             plugins_[table->memory]),
                 plugin.found().path});
    return;
  }
  device = {plugin.instance(), table};
  plugins_[table->memory] = plugin.id();
  records.add({Stage::kLoad, subject, "known", fmt::format("by plugin {}", plugin.id()),
               plugin.found().path});
}

const Device* Devices::find(muster_memory memory) const {
  if (memory >= MUSTER_MEMORY_END || devices_[memory].table == nullptr) return nullptr;
  return &devices_[memory];
}

std::string kinds_of_memory(const std::vector<std::unique_ptr<Plugin>>& plugins) {
  std::string kinds;
  for (const auto& plugin : plugins) {
    const muster_device* const table = plugin->device();
    if (table == nullptr || names_kind(kinds, table->memory)) continue;
    uint32_t count = 1;  // of a plugin that does not tell
    if (table->device_count != nullptr &&
        !Status(table->device_count(plugin->instance(), &count)).ok()) {
      continue;
    }
    if (count == 0) continue;
    kinds += (kinds.empty() ? "" : " ") + std::string(memory_name(table->memory));
  }
  return kinds;
}

bool names_kind(std::string_view kinds, muster_memory memory) {
  const std::string_view name = memory_name(memory);
  while (!kinds.empty()) {
    const size_t end = std::min(kinds.find(' '), kinds.size());
    if (kinds.substr(0, end) == name) return true;
    kinds.remove_prefix(std::min(end + 1, kinds.size()));
  }
  return false;
}

}  // namespace muster

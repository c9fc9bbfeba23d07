#include "core/query/devices.hpp"

#include <fmt/format.h>

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

}  // namespace muster

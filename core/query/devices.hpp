// The kinds of memory that are not the host's, and the plugins that know them (muster.device/1).
//
// Filled while a runtime starts, then read by any thread; the plugins outlive it.
#ifndef MUSTER_CORE_QUERY_DEVICES_HPP
#define MUSTER_CORE_QUERY_DEVICES_HPP

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/records.hpp"
#include "core/query/plugin.hpp"
#include "muster/device.h"

namespace muster {

struct Device {
  muster_instance* instance = nullptr;
  const muster_device* table = nullptr;
};

class Devices {
 public:
  // Takes the plugin's kind of memory, if it gives one that nobody gave before: the first plugin of
  // discovery's order keeps it, which the records say.
  void add(const Plugin& plugin, Records& records);
  // NULL: no plugin knows this kind.
  const Device* find(muster_memory memory) const;

 private:
  std::array<Device, MUSTER_MEMORY_END> devices_{};
  std::array<std::string, MUSTER_MEMORY_END> plugins_;
};

// The kinds of memory that plugins give and that this machine has a device of: "cuda hip".
std::string kinds_of_memory(const std::vector<std::unique_ptr<Plugin>>& plugins);
// Whether a list of kinds names one.
bool names_kind(std::string_view kinds, muster_memory memory);

}  // namespace muster

#endif

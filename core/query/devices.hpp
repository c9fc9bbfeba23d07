// The kinds of memory that are not the host's, and the plugins that know them (muster.device/1).
//
// Filled while a runtime starts, then read by any thread; the plugins outlive it.
#ifndef MUSTER_CORE_QUERY_DEVICES_HPP
#define MUSTER_CORE_QUERY_DEVICES_HPP

#include <array>

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

}  // namespace muster

#endif

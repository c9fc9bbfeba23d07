#include "plugins/backends/nccl/settings.hpp"

#include <algorithm>

namespace muster::nccl {

Settings settings_of(const plugin::Group& group, bool windows_possible) {
  Settings settings;
  settings.blocking = group.option("blocking") == "true";
  settings.windows = windows_possible && group.option("windows") == "true";
  settings.min_ctas = static_cast<int>(group.integer_option("min_ctas"));
  settings.max_ctas = static_cast<int>(group.integer_option("max_ctas"));
  if (settings.min_ctas == 0 && settings.windows) {
    settings.min_ctas =
        settings.max_ctas == 0 ? kCtasWithWindows : std::min(kCtasWithWindows, settings.max_ctas);
  }
  // NCCL compares the two even where it was not told of a most.
  if (settings.min_ctas != 0 && settings.max_ctas == 0)
    settings.max_ctas = std::max(settings.min_ctas, kMostCtas);
  return settings;
}

Config config_of(const Settings& settings, int version, const char* name) {
  const auto given = [](int value) { return value == 0 ? kUndefined : value; };
  Config config{};
  // The form of 2.27 where the library knows it, else that of 2.18.
  const bool named = version >= 22700;
  config.size = named ? sizeof(Config) : offsetof(Config, comm_name);
  config.magic = kConfigMagic;
  config.version = named ? 22700 : 21800;
  config.blocking = settings.blocking ? 1 : 0;
  config.cga_cluster_size = kUndefined;
  config.min_ctas = given(settings.min_ctas);
  config.max_ctas = given(settings.max_ctas);
  config.split_share = kUndefined;
  config.traffic_class = kUndefined;
  config.comm_name = name;
  config.collnet_enable = kUndefined;
  config.cta_policy = kUndefined;
  config.shrink_share = kUndefined;
  config.nvls_ctas = kUndefined;
  return config;
}

}  // namespace muster::nccl

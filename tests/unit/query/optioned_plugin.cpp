#include "tests/unit/query/optioned_plugin.hpp"

#include <stdexcept>
#include <utility>

#include "core/bootstrap/world.hpp"

namespace muster::testing {
namespace {

struct OptionedGroup {
  void connect() {}
  void execute(const muster_call&) {}
};

struct OptionedBackend {
  static constexpr int32_t kPriority = 50;
  static constexpr muster_option kOptions[] = {
      plugin::option("chunk_bytes", MUSTER_OPTION_BYTES, "64KiB", "size of a chunk", 1024, 1 << 20),
      plugin::option("channels", MUSTER_OPTION_INTEGER, "4", "number of channels", 1, 16),
      plugin::option("eager", MUSTER_OPTION_BOOLEAN, "true", "whether to be eager"),
      plugin::option("label", MUSTER_OPTION_TEXT, "none", "any text"),
  };
  explicit OptionedBackend(plugin::Host) {}
  void probe(plugin::Facts facts) const {
    if (optioned().probe) optioned().probe(facts);
  }
  void offer(plugin::Query query) const {
    if (optioned().offer) optioned().offer(query);
  }
  std::unique_ptr<OptionedGroup> prepare(plugin::Group) {
    return std::make_unique<OptionedGroup>();
  }
};

using Tables = plugin::detail::Tables<OptionedBackend, OptionedGroup>;

const void* get_interface(muster_instance*, const char* name) {
  if (std::string_view(name) == MUSTER_BOOTSTRAP_INTERFACE) return optioned().bootstrap;
  return std::string_view(name) == MUSTER_BACKEND_INTERFACE ? &optioned_table() : nullptr;
}

const muster_entry kEntry = {MUSTER_PLUGIN_HEAD,
                             "optioned",
                             "1.2.3",
                             "muster::testing",
                             MUSTER_BUILD_TAG,
                             MUSTER_BACKEND_INTERFACE " " MUSTER_BOOTSTRAP_INTERFACE,
                             "",
                             "",
                             Tables::open,
                             Tables::close,
                             get_interface};

}  // namespace

OptionedBehaviour& optioned() {
  static OptionedBehaviour behaviour{{}, {}, single_bootstrap()};
  return behaviour;
}

muster_backend& optioned_table() {
  static muster_backend table = Tables::table;
  return table;
}

Opening::Opening(const std::string& toml, uint32_t abi_minor) : entry(kEntry) {
  entry.abi_minor = abi_minor;
  ConfigInputs inputs;
  inputs.api_text = "[plugins]\nprobe = \"in-process\"\n" + toml;
  Result<Config> loaded = load_config(inputs);
  if (!loaded.ok()) throw std::logic_error(loaded.status().message());
  config = std::move(*loaded);
  // Discovery opens it on its own, to probe: with the table whole.
  const muster_backend spoilt = std::exchange(optioned_table(), Tables::table);
  const muster_entry* const given = &entry;
  DiscoveryInputs discovery;
  discovery.config = &config;
  discovery.in_process = std::span<const muster_entry* const>(&given, 1);
  found = discover(discovery, records);
  optioned_table() = spoilt;
  if (found.size() != 1) throw std::logic_error("the plugin was not discovered alone");
  Result<std::unique_ptr<Plugin>> opened = Plugin::open(found.front(), config, records, nullptr);
  if (opened.ok()) {
    plugin = std::move(*opened);
  } else {
    status = opened.take_status();
  }
}

Opening::~Opening() {
  plugin.reset();
  optioned_table() = Tables::table;
  optioned() = {{}, {}, single_bootstrap()};
}

}  // namespace muster::testing

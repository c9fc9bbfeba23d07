#include "core/query/plugin.hpp"

#include <fmt/format.h>

#include <charconv>

#include "core/base/names.hpp"
#include "core/base/units.hpp"
#include "core/discover/loader.hpp"

namespace muster {
namespace {

Status not_whole(const std::string& id, const char* what,
                 const char* interface = MUSTER_BACKEND_INTERFACE) {
  return Status(MUSTER_INTERNAL, fmt::format("plugin {} gives {} without {}", id, interface, what),
                "report this to the plugin's vendor");
}

// Sizes are written "64KiB" and handed over in bytes.
std::string canonical_value(const muster_option& option, const std::string& value) {
  if (option.type != MUSTER_OPTION_BYTES) return value;
  const Result<uint64_t> bytes = parse_bytes(value);
  return bytes.ok() ? std::to_string(*bytes) : value;
}

void overlay(std::map<std::string, std::string>& options, const muster_backend& backend,
             const BackendSettings& settings) {
  for (uint32_t i = 0; i < backend.option_count; ++i) {
    const muster_option& option = MUSTER_AT(muster_option, backend.options, i);
    const auto found = settings.options.find(option.name);
    if (found != settings.options.end())
      options[option.name] = canonical_value(option, found->second.value);
  }
}

}  // namespace

Status check_option_value(const std::string& plugin, const muster_option& option,
                          const std::string& value) {
  const auto wrong = [&](const std::string& expected) {
    return Status(MUSTER_INVALID_ARGUMENT, fmt::format("option {} of {} is '{}', it must be {}",
                                                       option.name, plugin, value, expected));
  };
  int64_t number = 0;
  switch (option.type) {
    case MUSTER_OPTION_TEXT:
      return Status();
    case MUSTER_OPTION_BOOLEAN:
      return value == "true" || value == "false" ? Status() : wrong("true or false");
    case MUSTER_OPTION_INTEGER: {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
      if (error != std::errc() || end != value.data() + value.size()) return wrong("an integer");
      break;
    }
    case MUSTER_OPTION_BYTES: {
      const Result<uint64_t> bytes = parse_bytes(value);
      if (!bytes.ok() || *bytes > INT64_MAX) return wrong("a size such as 64KiB");
      number = static_cast<int64_t>(*bytes);
      break;
    }
    default:
      return Status();  // of a later minor; the plugin checks it itself
  }
  if (number >= option.minimum && number <= option.maximum) return Status();
  return wrong(fmt::format("{} to {}", option.minimum, option.maximum));
}

Plugin::Plugin(FoundPlugin found, Records* records, FlushHook* flush, const KernelTable* kernels)
    : found_(std::move(found)), host_(found_.entry.id, records, flush, kernels) {}

Plugin::~Plugin() {
  if (instance_ != nullptr) entry_->close(instance_);
}

Result<std::unique_ptr<Plugin>> Plugin::open(const FoundPlugin& found, const Config& config,
                                             Records& records, FlushHook* flush,
                                             const KernelTable* kernels) {
  Result<const muster_entry*> entry = open_plugin(found);
  if (!entry.ok()) return entry.take_status();
  std::unique_ptr<Plugin> plugin(new Plugin(found, &records, flush, kernels));
  plugin->entry_ = *entry;
  if ((*entry)->open == nullptr || (*entry)->close == nullptr ||
      (*entry)->get_interface == nullptr) {
    return not_whole(plugin->id(), "open, close or get_interface");
  }
  if (Status status((*entry)->open(&plugin->host_, &plugin->instance_)); !status.ok())
    return status;
  const char* without = nullptr;  // an interface that is declared and not given
  const auto interface = [&](const char* name) -> const void* {
    if (!found.entry.gives(name)) return nullptr;
    const void* const table = (*entry)->get_interface(plugin->instance_, name);
    if (table == nullptr) without = name;
    return table;
  };
  plugin->backend_ = static_cast<const muster_backend*>(interface(MUSTER_BACKEND_INTERFACE));
  plugin->bootstrap_ = static_cast<const muster_bootstrap*>(interface(MUSTER_BOOTSTRAP_INTERFACE));
  plugin->device_ = static_cast<const muster_device*>(interface(MUSTER_DEVICE_INTERFACE));
  plugin->kernels_ = static_cast<const muster_kernels*>(interface(MUSTER_KERNELS_INTERFACE));
  const auto* const variants =
      static_cast<const muster_variants*>(interface(MUSTER_VARIANTS_INTERFACE));
  if (without != nullptr) return not_whole(plugin->id(), "a table", without);
  if (plugin->bootstrap_ != nullptr) MUSTER_TRY(plugin->check_bootstrap());
  if (plugin->device_ != nullptr) MUSTER_TRY(plugin->check_device());
  if (plugin->kernels_ != nullptr) MUSTER_TRY(plugin->check_kernels());
  if (variants != nullptr) {
    MUSTER_TRY(check_variants(plugin->id(), *variants));
    plugin->host_.set_variants({variants, plugin->instance_});
  }
  if (plugin->backend_ != nullptr) {
    if (Status status = plugin->check_backend(); !status.ok()) return status;
    if (Status status = plugin->check_options(config); !status.ok()) return status;
    plugin->host_.set_options(plugin->options_for(config, ""));
  }
  return plugin;
}

Status Plugin::check_backend() const {
  const muster_backend& backend = *backend_;
  if (!MUSTER_HAS_FIELD(&backend, muster_backend, group_destroy)) {
    return not_whole(id(), "all of its slots (struct_size is too small)");
  }
  if (backend.priority < 0 || backend.priority > 100)
    return not_whole(id(), "a priority of 0 to 100");
  if (backend.option_count != 0 && backend.options == nullptr)
    return not_whole(id(), "its options table");
  if (backend.option_count != 0 && !MUSTER_HAS_FIELD(backend.options, muster_option, maximum))
    return not_whole(id(), "the whole of its options (struct_size is too small)");
  for (uint32_t i = 0; i < backend.option_count; ++i) {
    if (MUSTER_AT(muster_option, backend.options, i).name == nullptr)
      return not_whole(id(), "a name for each option");
  }
  if (backend.probe == nullptr) return not_whole(id(), "probe");
  if (backend.offer == nullptr) return not_whole(id(), "offer");
  if (backend.group_prepare == nullptr) return not_whole(id(), "group_prepare");
  if (backend.group_connect == nullptr) return not_whole(id(), "group_connect");
  if (backend.execute == nullptr) return not_whole(id(), "execute");
  if (backend.group_destroy == nullptr) return not_whole(id(), "group_destroy");
  if ((backend.start == nullptr) != (backend.test == nullptr))
    return not_whole(id(), "both of start and test");
  return Status();
}

// What is read before a world is joined through it; the rest is looked at then.
Status Plugin::check_bootstrap() const {
  const bool whole =
      MUSTER_HAS_FIELD(bootstrap_, muster_bootstrap, close) && bootstrap_->name != nullptr;
  return whole ? Status()
               : not_whole(id(), "a name and all of its slots", MUSTER_BOOTSTRAP_INTERFACE);
}

Status Plugin::check_device() const {
  const auto without = [this](const char* what) {
    return not_whole(id(), what, MUSTER_DEVICE_INTERFACE);
  };
  if (!MUSTER_HAS_FIELD(device_, muster_device, host_unpin))
    return without("all of its slots (struct_size is too small)");
  if (device_->memory <= MUSTER_HOST || device_->memory >= MUSTER_MEMORY_END)
    return without("a kind of memory that is known and not the host's");
  if (device_->allocate == nullptr || device_->free == nullptr) return without("allocate and free");
  if (device_->copy == nullptr || device_->copy_2d == nullptr) return without("copy and copy_2d");
  return Status();
}

Status Plugin::check_kernels() const {
  const bool whole = MUSTER_HAS_FIELD(kernels_, muster_kernels, variant) &&
                     kernels_->variant_count != nullptr && kernels_->variant != nullptr;
  return whole ? Status() : not_whole(id(), "all of its slots", MUSTER_KERNELS_INTERFACE);
}

Status Plugin::check_variants(const std::string& id, const muster_variants& table) {
  const bool whole = MUSTER_HAS_FIELD(&table, muster_variants, build) &&
                     table.architectures != nullptr && table.list != nullptr &&
                     table.build != nullptr;
  return whole ? Status() : not_whole(id, "all of its slots", MUSTER_VARIANTS_INTERFACE);
}

Status Plugin::check_options(const Config& config) const {
  const auto check = [&](const BackendSettings& settings) -> Status {
    for (const auto& [name, setting] : settings.options) {
      const muster_option* declared = nullptr;
      std::vector<std::string_view> names;
      for (uint32_t i = 0; i < backend_->option_count; ++i) {
        const muster_option& option = MUSTER_AT(muster_option, backend_->options, i);
        names.emplace_back(option.name);
        if (name == option.name) declared = &option;
      }
      if (declared == nullptr) {
        const std::string_view near = nearest_name(name, names);
        return Status(
            MUSTER_INVALID_ARGUMENT,
            fmt::format("{}: backend {} has no option '{}'", setting.source.text(), id(), name),
            near.empty() ? fmt::format("it has: {}", fmt::join(names, ", "))
                         : fmt::format("did you mean '{}'?", near));
      }
      if (Status status = check_option_value(id(), *declared, setting.value); !status.ok()) {
        return status.within(setting.source.text());
      }
    }
    return Status();
  };
  if (const auto found = config.backends.find(id()); found != config.backends.end()) {
    MUSTER_TRY(check(found->second));
  }
  for (const GroupSettings& group : config.groups) {
    if (const auto found = group.backends.find(id()); found != group.backends.end()) {
      MUSTER_TRY(check(found->second));
    }
  }
  return Status();
}

std::map<std::string, std::string> Plugin::options_for(const Config& config,
                                                       const std::string& group) const {
  std::map<std::string, std::string> options;
  if (backend_ == nullptr) return options;
  for (uint32_t i = 0; i < backend_->option_count; ++i) {
    const muster_option& option = MUSTER_AT(muster_option, backend_->options, i);
    options[option.name] =
        canonical_value(option, option.default_value == nullptr ? "" : option.default_value);
  }
  overlay(options, *backend_, backend_settings(config, id(), group));
  return options;
}

Status Plugin::probe() {
  facts_.clear();
  ReportedFacts facts;
  const muster_fact_sink sink = facts.sink();
  if (Status status(backend_->probe(instance_, &sink)); !status.ok()) return status;
  if (!facts.fault().empty()) {
    return Status(MUSTER_INTERNAL, fmt::format("plugin {}: {}", id(), facts.fault()),
                  "report this to the plugin's vendor");
  }
  facts_ = facts.take();
  return Status();
}

}  // namespace muster

#include "core/agree/runtime.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/digest.hpp"
#include "core/base/log.hpp"
#include "core/base/names.hpp"
#include "core/base/wait.hpp"
#include "core/dispatch/group.hpp"
#include "core/query/background_build.hpp"

muster_runtime::~muster_runtime() {
  world.reset();
  channel.reset();
  // Later plugins first; the world, which may be a plugin's, has gone before.
  while (!plugins.empty()) plugins.pop_back();
}

const muster::Plugin* muster_runtime::find_plugin(const std::string& id) const {
  const auto found =
      std::find_if(plugins.begin(), plugins.end(), [&](const auto& p) { return p->id() == id; });
  return found == plugins.end() ? nullptr : found->get();
}

uint64_t muster_runtime::next_tag(const std::vector<uint32_t>& ranks) {
  const std::lock_guard<std::mutex> lock(mutex);
  const std::string text = fmt::format("{}:{}", ++tag_sequence[ranks], fmt::join(ranks, ","));
  return muster::digest_of(text).low | 1;  // 0 is the tag of the world's own exchange
}

uint64_t muster_runtime::setup_deadline() const {
  return muster::now_ns() + config.bootstrap_timeout_ms.value * 1'000'000;
}

namespace muster {
namespace {

muster_log_level level_from(const std::string& name) {
  static constexpr const char* kNames[] = {"trace", "debug", "info", "warn", "error", "off"};
  static_assert(std::size(kNames) == MUSTER_LOG_OFF + 1);
  for (muster_log_level level = 0; level < std::size(kNames); ++level) {
    if (name == kNames[level]) return level;
  }
  return MUSTER_LOG_WARN;
}

// A plugin that cannot be opened drops out; a mistake in the configuration of its options is an
// error.
Status open_plugins(muster_runtime& runtime) {
  Status mistake;
  for (FoundPlugin& found : runtime.found) {
    if (found.state != PluginState::kUsable || only_kernels(found)) continue;
    Result<std::unique_ptr<Plugin>> plugin =
        Plugin::open(found, runtime.config, runtime.records, &runtime.flush, &runtime.kernels);
    if (plugin.ok()) {
      runtime.devices.add(**plugin, runtime.records);
      runtime.plugins.push_back(std::move(*plugin));
      continue;
    }
    found.state = PluginState::kRefused;
    found.stage = Stage::kLoad;
    found.reason = plugin.status().message();
    runtime.records.add({Stage::kLoad, found.path, "refused", found.reason, found.path});
    if (plugin.status().code() == MUSTER_INVALID_ARGUMENT) {
      if (mistake.ok()) mistake = plugin.take_status();
    } else {
      log_warn(fmt::format("plugin {} could not be opened: {}", found.path, found.reason));
    }
  }
  return mistake;
}

struct Joining {
  const muster_bootstrap* table = nullptr;
  muster_instance* instance = nullptr;
  std::string name;
};

Result<Joining> choose_bootstrap(const muster_runtime& runtime,
                                 const muster_runtime_options& options) {
  if (options.threads != nullptr) {
    auto* const seat = const_cast<ThreadsSeat*>(&runtime.seat);
    return Joining{threads_bootstrap(), reinterpret_cast<muster_instance*>(seat), "threads"};
  }
  if (options.bootstrap != nullptr) {
    return Joining{options.bootstrap, options.bootstrap_instance,
                   options.bootstrap->name == nullptr ? "custom" : options.bootstrap->name};
  }
  const std::string& kind = runtime.config.bootstrap_kind.value;
  const bool automatic = kind == "auto";
  if ((automatic && local_bootstrap()->available(nullptr) != 0) || kind == "local") {
    return Joining{local_bootstrap(), nullptr, "local"};
  }
  std::vector<const Plugin*> willing;
  for (const auto& plugin : runtime.plugins) {
    const muster_bootstrap* const table = plugin->bootstrap();
    if (table == nullptr || (!automatic && kind != table->name)) continue;
    if (table->available == nullptr || table->available(plugin->instance()) != 0)
      willing.push_back(plugin.get());
  }
  std::stable_sort(willing.begin(), willing.end(), [](const Plugin* a, const Plugin* b) {
    return a->bootstrap()->priority > b->bootstrap()->priority;
  });
  if (!willing.empty()) {
    return Joining{willing.front()->bootstrap(), willing.front()->instance(),
                   willing.front()->bootstrap()->name};
  }
  if (automatic || kind == "single") return Joining{single_bootstrap(), nullptr, "single"};
  return Status(
      MUSTER_UNAVAILABLE,
      fmt::format("bootstrap '{}' ({}) is not available in this process", kind,
                  runtime.config.bootstrap_kind.source.text()),
      "start the program with the launcher that it belongs to, or set [bootstrap] kind to auto");
}

// Backends of this rank, probed. Returns a failure when a required one is missing.
Status fill_plugins(muster_runtime& runtime, RankRecord& record) {
  for (const auto& plugin : runtime.plugins) {
    if (plugin->backend() == nullptr) continue;
    PluginRecord& entry = record.plugins[plugin->id()];
    entry.version = plugin->version();
    if (Status status = plugin->probe(); !status.ok()) {
      entry.unusable = status.cause();
      runtime.records.add(
          {Stage::kProbe, plugin->id(), "unavailable", entry.unusable, plugin->found().path});
    } else {
      entry.facts = plugin->facts();
    }
  }
  // What was found but cannot be used is told as well, so that every rank can say why.
  for (const FoundPlugin& found : runtime.found) {
    if (found.entry.id.empty() || record.plugins.count(found.entry.id) != 0) continue;
    if (found.state == PluginState::kUsable || only_kernels(found)) continue;
    PluginRecord& entry = record.plugins[found.entry.id];
    entry.version = found.entry.version;
    entry.unusable = fmt::format("{} at {}: {}", plugin_state_name(found.state),
                                 stage_name(found.stage), found.reason);
  }
  for (const auto& [id, settings] : runtime.config.backends) {
    if (!settings.mode || settings.mode->value != Mode::kRequired) continue;
    const auto entry = record.plugins.find(id);
    if (entry == record.plugins.end()) {
      return Status(MUSTER_UNAVAILABLE,
                    fmt::format("backend {} is required ({}) and was not found", id,
                                settings.mode->source.text()),
                    "install its plugin; muster list --paths prints where plugins are looked for");
    }
    if (!entry->second.unusable.empty()) {
      return Status(MUSTER_UNAVAILABLE,
                    fmt::format("backend {} is required ({}) and cannot be used: {}", id,
                                settings.mode->source.text(), entry->second.unusable),
                    "muster list --failed says more");
    }
  }
  return Status();
}

// Files of the plugins that lack images for the devices here and could build them.
std::vector<std::string> plugins_that_lack_images(const muster_runtime& runtime) {
  std::vector<std::string> files;
  for (const auto& plugin : runtime.plugins) {
    const VariantBuilder& builder = plugin->variants();
    if (builder.table == nullptr || plugin->found().in_process != nullptr) continue;
    const Result<std::vector<std::string>> architectures = builder.architectures();
    bool lacks = false;
    for (const std::string& architecture :
         architectures.ok() ? *architectures : std::vector<std::string>()) {
      const Result<std::vector<DeclaredVariant>> variants = builder.list(architecture);
      lacks = lacks ||
              (variants.ok() &&
               std::any_of(variants->begin(), variants->end(), [&](const DeclaredVariant& variant) {
                 return !variant.toolchain.empty() &&
                        runtime.kernels.images().state(variant, builder) != MUSTER_IMAGE_READY;
               }));
    }
    if (lacks) files.push_back(plugin->found().path);
  }
  return files;
}

// What it finishes of the host kernels serves the runtimes that start later; of device kernels, the
// groups that are made later. Never a failure of this one.
void build_in_background(muster_runtime& runtime, const std::vector<std::string>& variant_plugins) {
  int fd = -1;
  const std::string fault = start_background_build(runtime.config, variant_plugins, &fd);
  runtime.background_build.reset(fd);
  runtime.records.add({Stage::kQuery, "kernels", fault.empty() ? "being built" : "not built",
                       fault.empty() ? "in the background, for later groups and runtimes" : fault,
                       runtime.config.kernels_build.source.text()});
}

}  // namespace

Mode mode_of(const Config& config, const std::string& id, std::string_view group) {
  const BackendSettings settings = backend_settings(config, id, group);
  return settings.mode ? settings.mode->value : Mode::kPreferred;
}

namespace {

Status configure(muster_runtime& runtime, const muster_runtime_options& options) {
  Result<Config> config = load_config(
      config_inputs_of_process(options.config_file == nullptr ? "" : options.config_file,
                               options.config_text == nullptr ? "" : options.config_text));
  if (!config.ok()) return config.take_status();
  runtime.config = std::move(*config);
  if (runtime.config.log_level.source.kind != Source::Kind::kDefault) {
    set_log_level(level_from(runtime.config.log_level.value));
  }
  return Status();
}

Status find_plugins(muster_runtime& runtime, const muster_runtime_options& options) {
  DiscoveryInputs inputs;
  inputs.config = &runtime.config;
  inputs.directories = plugin_directories(runtime.config);
  inputs.in_process = std::span<const muster_entry* const>(options.builtin, options.builtin_count);
  runtime.found = discover(inputs, runtime.records);
  runtime.start_times.done("discovery");
  Status mistake = open_plugins(runtime);
  runtime.start_times.done("opening plugins");
  runtime.kernels.add_found(runtime.found, runtime.config, runtime.records);
  runtime.start_times.done("kernels");
  return mistake;
}

// What the other ranks are to know of this one, its failure included; failure is added to.
RankRecord record_of(muster_runtime& runtime, int32_t device, bool builds, Status& failure) {
  RankRecord record;
  record.version = MUSTER_VERSION;
  record.node = this_node();
  record.process = this_process();
  record.device = device;
  record.policy_digest = digest_of(policy_text(runtime.config)).text();
  record.policy_sources = policy_sources(runtime.config);
  if (failure.ok()) failure = fill_plugins(runtime, record);
  record.memory_kinds = kinds_of_memory(runtime.plugins);
  record.kernels = runtime.kernels.ready();
  record.builds = builds;
  if (failure.ok()) {
    Result<std::unique_ptr<NodeChannel>> channel = NodeChannel::listen(runtime.world->rank());
    if (channel.ok()) {
      runtime.channel = std::move(*channel);
      record.channel = runtime.channel->address();
    } else {
      failure = channel.take_status();
    }
  }
  record.failure = failure.message();
  return record;
}

// The records of all ranks, decoded and found to go together.
Status take_ranks(muster_runtime& runtime, const std::vector<std::string>& encoded) {
  for (const std::string& bytes : encoded) {
    Result<RankRecord> decoded = decode_rank_record(bytes);
    if (!decoded.ok()) return decoded.take_status();
    runtime.ranks.push_back(std::move(*decoded));
  }
  MUSTER_TRY(check_world(runtime.ranks));
  runtime.places = places_of(runtime.ranks);
  std::vector<const ReadyPacks*> ready;
  for (const RankRecord& rank : runtime.ranks) ready.push_back(&rank.kernels);
  runtime.kernels.agree(ready, runtime.records);
  return Status();
}

}  // namespace

Result<std::unique_ptr<muster_runtime>> start_runtime(const muster_runtime_options& options) {
  auto runtime = std::make_unique<muster_runtime>();
  // A rank whose own part fails still joins the world, to tell the others why instead of letting
  // them wait.
  Status failure = configure(*runtime, options);
  runtime->seat = {options.threads, options.thread_rank};
  runtime->start_times.done("configuration");
  Status mistake = find_plugins(*runtime, options);
  if (failure.ok()) failure = std::move(mistake);

  Result<Joining> joining = choose_bootstrap(*runtime, options);
  if (!joining.ok()) return failure.ok() ? joining.take_status() : std::move(failure);
  const uint64_t deadline = runtime->setup_deadline();
  Result<std::unique_ptr<World>> world =
      World::open(joining->table, joining->instance, joining->name, deadline);
  if (!world.ok()) return failure.ok() ? world.take_status() : std::move(failure);
  runtime->world = std::move(*world);
  runtime->start_times.done("joining the world");

  const bool background = runtime->config.kernels_build.value == "background";
  std::vector<std::string> lacking;
  if (background) lacking = plugins_that_lack_images(*runtime);
  const RankRecord record =
      record_of(*runtime, options.device_plus_one - 1, !lacking.empty(), failure);
  runtime->start_times.done("facts of this rank");

  std::vector<uint32_t> everyone(runtime->world->size());
  for (uint32_t r = 0; r < everyone.size(); ++r) everyone[r] = r;
  Result<std::vector<std::string>> encoded =
      runtime->world->all_gather(everyone, 0, encode(record), deadline);
  if (!failure.ok()) return failure;
  if (!encoded.ok()) return encoded.take_status();
  MUSTER_TRY(take_ranks(*runtime, *encoded));
  if (background) build_in_background(*runtime, lacking);
  std::vector<std::string> addresses;
  for (const RankRecord& rank : runtime->ranks)
    addresses.push_back(rank.node == record.node ? rank.channel : "");
  runtime->channel->set_addresses(std::move(addresses));
  runtime->start_times.done("exchange");
  return runtime;
}

}  // namespace muster

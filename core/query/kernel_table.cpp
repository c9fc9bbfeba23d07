#include "core/query/kernel_table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/log.hpp"
#include "core/discover/probe_host.hpp"
#include "core/kernels/native_store.hpp"
#include "core/kernels/registry.hpp"
#include "core/query/kernel_pack.hpp"

namespace muster {
namespace {

// What the built-in kernels would have said of themselves.
int32_t builtin_score(const char* algorithm) {
  return algorithm != nullptr && algorithm == std::string_view(MUSTER_ALGORITHM_STREAMING) ? -100
                                                                                           : 0;
}

bool matches(const KernelGroup& group, const muster_kernel_key& key) {
  // What costs least first: a group of ranks asks for some hundred kernels.
  return group.has(key.dtype, key.redop) &&
         (group.world_size == 0 || group.world_size == key.world_size) &&
         group.family == key.family &&
         (key.algorithm == nullptr || group.algorithm == key.algorithm) &&
         (key.architecture == nullptr || group.architecture == key.architecture);
}

// Equal on all ranks that have both, whatever the order in which they found them.
bool goes_before(const KernelGroup& a, const std::string& a_pack, const KernelGroup& b,
                 const std::string& b_pack) {
  if (a.score != b.score) return a.score > b.score;
  return std::tie(a.architecture, a.algorithm, a.digest, a_pack) <
         std::tie(b.architecture, b.algorithm, b.digest, b_pack);
}

}  // namespace

bool only_kernels(const FoundPlugin& plugin) {
  return plugin.entry.interfaces == std::vector<std::string>{MUSTER_KERNELS_INTERFACE};
}

KernelTable::KernelTable() = default;
KernelTable::~KernelTable() = default;

void KernelTable::add_found(const std::vector<FoundPlugin>& found, const Config& config,
                            Records& records) {
  images_.configure(config, records);
  for (const FoundPlugin& plugin : found) {
    if (plugin.state != PluginState::kUsable || !plugin.entry.gives(MUSTER_KERNELS_INTERFACE))
      continue;
    // Without a probe nobody has tested its variants yet.
    std::optional<PackReport> report = plugin.kernels;
    if (!report) report = open_and_probe(plugin, [](ProbeStep) {}).kernels;
    if (!report) continue;
    if (!report->images.empty()) images_.add_pack(plugin, report->images);
    if (!report->note.empty()) {
      records.add(
          {Stage::kProbe, "kernels of " + plugin.entry.id, "left out", report->note, plugin.path});
    }
    for (const std::string& fault : report->faults) {
      records.add({Stage::kCheck, "kernels of " + plugin.entry.id, "left out", fault, plugin.path});
      log_warn(fmt::format("plugin {} at {}: kernel {}", plugin.entry.id, plugin.path, fault));
    }
    add(std::make_unique<KernelPack>(plugin, std::move(*report), config, records), config, records);
  }
  add_natives(config, records);
}

void KernelTable::add_natives(const Config& config, Records& records) {
  for (NativeStore::Entry& entry : NativeStore(config).entries()) {
    if (!entry.stale.empty()) {
      records.add({Stage::kDiscover, "kernels of " + entry.object(), "left out",
                   "stale: " + entry.stale, entry.object()});
      continue;
    }
    const NativeRecord& record = entry.record;
    add(std::make_unique<KernelPack>(NativeStore::id_of(record.name, record.digest), entry.object(),
                                     record.report, config, records),
        config, records);
  }
}

void KernelTable::add(std::unique_ptr<KernelPack> pack, const Config& config, Records& records) {
  const std::string& architecture = config.kernels_architecture.value;
  std::vector<KernelGroup>& ready = pack->report().ready;
  if (architecture != "auto") {
    std::erase_if(ready, [&](const KernelGroup& g) { return g.architecture != architecture; });
  }
  refuse_duplicates(*pack, records);
  if (!ready.empty()) packs_.push_back(std::move(pack));
}

void KernelTable::refuse_duplicates(KernelPack& pack, Records& records) const {
  for (KernelGroup& group : pack.report().ready) {
    for (const auto& earlier : packs_) {
      for (const KernelGroup& other : earlier->groups()) {
        if (group.family != other.family || group.algorithm != other.algorithm ||
            group.architecture != other.architecture || group.digest != other.digest ||
            group.world_size != other.world_size) {
          continue;
        }
        bool twice = false;
        for (size_t dtype = 0; dtype < group.redops.size(); ++dtype) {
          twice = twice || (group.redops[dtype] & other.redops[dtype]) != 0;
          group.redops[dtype] &= ~other.redops[dtype];
        }
        if (!twice) continue;
        const std::string what = fmt::format("kernels {} {} {} digest {}", group.family,
                                             group.algorithm, group.architecture, group.digest);
        records.add({Stage::kCheck, what, "refused",
                     fmt::format("{} has the same variants, it came first: an error of {}",
                                 earlier->path(), pack.path()),
                     pack.path()});
      }
    }
  }
  std::erase_if(pack.report().ready, [](const KernelGroup& group) { return group.size() == 0; });
}

ReadyPacks KernelTable::ready() const {
  ReadyPacks ready;
  for (const auto& pack : packs_) ready[pack->id()] = pack->digest();
  ready.merge(images_.packs());
  return ready;
}

void KernelTable::agree(const std::vector<const ReadyPacks*>& ranks, Records& records) {
  std::erase_if(packs_, [&](const std::unique_ptr<KernelPack>& pack) {
    const std::string digest = pack->digest();
    for (size_t r = 0; r < ranks.size(); ++r) {
      const auto theirs = ranks[r]->find(pack->id());
      if (theirs != ranks[r]->end() && theirs->second == digest) continue;
      records.add({Stage::kAgree, "kernels of " + pack->id(), "left out",
                   theirs == ranks[r]->end()
                       ? fmt::format("rank {} does not have them ready", r)
                       : fmt::format("rank {} has others ready under this name", r),
                   pack->path()});
      return true;
    }
    return false;
  });
  agreed_ = true;
  for (const KernelsInUse& used : in_use()) {
    records.add({Stage::kAgree, fmt::format("kernels {} {}", used.family, used.algorithm), "used",
                 used.pack.empty()
                     ? fmt::format("{} (built in), {} pairs", used.architecture, used.pairs)
                     : fmt::format("{} digest {} of {}, {} pairs", used.architecture, used.digest,
                                   used.pack, used.pairs),
                 ""});
  }
}

KernelTable::Choice KernelTable::best(const muster_kernel_key& key) const {
  Choice choice;
  for (const auto& pack : packs_) {
    for (const KernelGroup& group : pack->groups()) {
      if (!matches(group, key)) continue;
      if (choice.group == nullptr ||
          goes_before(group, pack->id(), *choice.group, choice.pack->id())) {
        choice = {pack.get(), &group};
      }
    }
  }
  return choice;
}

int32_t KernelTable::score_of(const Choice& choice, const muster_kernel_key& key) {
  const int32_t builtin = builtin_score(key.algorithm);
  return choice.group == nullptr ? builtin : std::max(builtin, choice.group->score);
}

bool KernelTable::withheld(const muster_kernel_key& key, const Choice& choice) const {
  if (key.family != std::string_view(MUSTER_FAMILY_HOST_REDUCE_PAIR)) return false;
  muster_kernel_key one = key;
  one.family = MUSTER_FAMILY_HOST_REDUCE;
  return score_of(best(one), one) > score_of(choice, key);
}

muster_kernel_function KernelTable::find(const muster_kernel_key& key) const {
  const muster_kernel_function builtin = find_kernel(key);
  if (!agreed_ || key.family == nullptr) return builtin;
  const Choice choice = best(key);
  if (withheld(key, choice)) return nullptr;
  if (choice.group == nullptr) return builtin;
  if (builtin != nullptr && choice.group->score <= builtin_score(key.algorithm)) return builtin;
  const std::lock_guard<std::mutex> lock(mutex_);
  const muster_kernel_function found = choice.pack->function(*choice.group, key.dtype, key.redop);
  return found != nullptr ? found : builtin;
}

std::vector<KernelsInUse> KernelTable::in_use() const {
  std::vector<KernelsInUse> all;
  const auto count = [&](const KernelsInUse& used) {
    const auto known = std::find_if(all.begin(), all.end(), [&](const KernelsInUse& other) {
      return other.family == used.family && other.algorithm == used.algorithm &&
             other.architecture == used.architecture && other.digest == used.digest &&
             other.pack == used.pack;
    });
    (known == all.end() ? all.emplace_back(used) : *known).pairs += 1;
  };
  for (const BuiltinFamily& family : builtin_families()) {
    for (muster_dtype dtype = 0; dtype < MUSTER_DTYPE_END; ++dtype) {
      for (muster_redop redop = 0; redop < MUSTER_REDOP_END; ++redop) {
        const muster_kernel_key key{MUSTER_KERNEL_KEY_SIZE, dtype,  redop, 0, family.name,
                                    family.algorithm,       nullptr};
        if (find_kernel(key) == nullptr) continue;
        const Choice choice = best(key);
        if (withheld(key, choice)) continue;
        if (choice.group == nullptr || choice.group->score <= builtin_score(family.algorithm)) {
          count({family.name, family.algorithm, std::string(kGenericArchitecture), "", "", 0});
        } else {
          count({family.name, family.algorithm, choice.group->architecture,
                 choice.group->digest.substr(0, 8), choice.pack->id(), 0});
        }
      }
    }
  }
  return all;
}

}  // namespace muster

// One rank's runtime: configuration, plugins, its place in the world. The struct behind
// muster_runtime.
//
// Made by start_runtime (collective over the world), shared read-only by its groups; Records and
// FlushHook have their own locks.
#ifndef MUSTER_CORE_AGREE_RUNTIME_HPP
#define MUSTER_CORE_AGREE_RUNTIME_HPP

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "core/agree/rank_record.hpp"
#include "core/base/records.hpp"
#include "core/base/step_times.hpp"
#include "core/base/unique_fd.hpp"
#include "core/bootstrap/node_channel.hpp"
#include "core/bootstrap/threads.hpp"
#include "core/bootstrap/world.hpp"
#include "core/discover/discovery.hpp"
#include "core/query/devices.hpp"
#include "core/query/kernel_table.hpp"
#include "core/query/plugin.hpp"
#include "muster/muster.h"

struct muster_runtime {
  muster::Config config;
  muster::Records records;
  muster::FlushHook flush;
  std::vector<muster::FoundPlugin> found;
  muster::KernelTable kernels;
  std::vector<std::unique_ptr<muster::Plugin>> plugins;  // opened, in order of discovery
  muster::Devices devices;                               // those of the plugins
  muster::UniqueFd background_build;                     // closed: it ends
  muster::ThreadsSeat seat;                              // in-process worlds
  std::unique_ptr<muster::NodeChannel> channel;
  std::unique_ptr<muster::World> world;
  std::vector<muster::RankRecord> ranks;  // by world rank
  std::vector<muster_rank_place> places;  // by world rank
  muster::StepTimes start_times;

  std::mutex mutex;                                        // of what follows
  std::map<std::vector<uint32_t>, uint64_t> tag_sequence;  // how many tags a rank list has had
  std::set<muster_group*> groups;
  std::set<std::string> warned;  // preferred backends that dropped out

  muster_runtime() = default;
  ~muster_runtime();

  const muster::Plugin* find_plugin(const std::string& id) const;
  // For what these ranks set up together: a tag that is equal on all of them, and that no other set
  // of ranks has, as long as they ask in one order.
  uint64_t next_tag(const std::vector<uint32_t>& ranks);
  // When setting up something that begins now has to be done.
  uint64_t setup_deadline() const;
};

namespace muster {

Result<std::unique_ptr<muster_runtime>> start_runtime(const muster_runtime_options& options);

// The effective mode and priority of a backend for a group.
Mode mode_of(const Config& config, const std::string& id, std::string_view group);

}  // namespace muster

#endif

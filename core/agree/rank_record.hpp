// What every rank tells every other when a world is joined: where it is, what it has, what its
// policy is, or why it cannot go on.
#ifndef MUSTER_CORE_AGREE_RANK_RECORD_HPP
#define MUSTER_CORE_AGREE_RANK_RECORD_HPP

#include <map>
#include <string>
#include <vector>

#include "core/base/status.hpp"
#include "core/query/kernel_table.hpp"
#include "core/query/plugin.hpp"
#include "muster/host.h"

namespace muster {

struct PluginRecord {
  std::string version;
  std::string unusable;  // why this rank cannot use it; "": it can
  FactMap facts;
};

struct RankRecord {
  std::string version;  // of the runtime
  std::string node;     // equal on ranks of one machine
  std::string process;  // equal on ranks of one process
  int32_t device = -1;
  std::string channel;  // address of the node channel
  std::string policy_digest;
  std::string policy_sources;
  std::string failure;  // this rank's initialisation failed; the others stop as well
  // Kinds of device memory that this rank can copy from and to: "cuda hip". What backends do not
  // offer on them is staged through the host.
  std::string memory_kinds;
  std::map<std::string, PluginRecord> plugins;  // backends by id
  ReadyPacks kernels;                           // packs of kernel variants
  bool builds = false;  // images of device kernels are being built here: its facts will change
};

std::string encode(const RankRecord& record);
Result<RankRecord> decode_rank_record(const std::string& bytes);

// Identifies this machine (boot id and, where it differs among containers, the host name's
// namespace) and this process.
std::string this_node();
std::string this_process();

// Refuses a world whose ranks cannot work together: a rank that failed, another runtime version,
// another policy. The cause names both ranks and, for policies, both sources.
Status check_world(const std::vector<RankRecord>& records);

// Node and process indices in order of first appearance.
std::vector<muster_rank_place> places_of(const std::vector<RankRecord>& records);

}  // namespace muster

#endif

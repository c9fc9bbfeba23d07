// Which backends a described group could have: present and usable on every rank, offering
// something. A pure function of the ranks' records, so it is equal on all ranks, and serves `muster
// explain` for imagined groups too.
#ifndef MUSTER_CORE_AGREE_CANDIDATES_HPP
#define MUSTER_CORE_AGREE_CANDIDATES_HPP

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/agree/rank_record.hpp"
#include "core/chain/chain.hpp"
#include "core/query/offer.hpp"
#include "core/query/plugin.hpp"

namespace muster {

struct GroupCandidate {
  const Plugin* plugin = nullptr;
  std::map<std::string, std::string> options;
  ChainBackend chain;  // with the rules of its offer, and what it declines
};

struct GroupCandidates {
  std::vector<GroupCandidate> usable;
  std::vector<LeftOut> left_out;
};

// The kinds of device memory, as bits, that every rank knows.
uint64_t memory_known_to_all(const std::vector<const RankRecord*>& records);

// records: by group rank.
GroupCandidates find_candidates(const std::vector<std::unique_ptr<Plugin>>& plugins,
                                const Config& config, const GroupDescription& group,
                                const std::vector<const RankRecord*>& records);

}  // namespace muster

#endif

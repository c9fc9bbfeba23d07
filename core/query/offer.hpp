// Asks one backend what it would take for a described group: the pure function of design, called
// alike for real groups, dry runs and simulations.
#ifndef MUSTER_CORE_QUERY_OFFER_HPP
#define MUSTER_CORE_QUERY_OFFER_HPP

#include <span>
#include <string>
#include <vector>

#include "core/query/plugin.hpp"
#include "muster/backend.h"

namespace muster {

// The group that an offer is for. facts: of this backend, by group rank.
struct GroupDescription {
  std::string name;
  std::string bootstrap;
  muster_determinism determinism = MUSTER_NONDETERMINISTIC;
  std::vector<muster_rank_place> places;
};

struct Offer {
  std::vector<muster_rule> rules;
  std::vector<std::string> declined;  // reasons
};

// Fails when the backend's offer fails or a rule is not well formed.
Result<Offer> ask_offer(const Plugin& plugin, const GroupDescription& group,
                        std::span<const FactMap* const> facts,
                        const std::map<std::string, std::string>& options);

}  // namespace muster

#endif

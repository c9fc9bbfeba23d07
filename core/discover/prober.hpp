// Decides what a plugin that was judged good finds on this machine: from the cache, or by probing
// it in a child, here, or not at all (plugins.probe).
//
// Any thread; one per discovery.
#ifndef MUSTER_CORE_DISCOVER_PROBER_HPP
#define MUSTER_CORE_DISCOVER_PROBER_HPP

#include "config/config.hpp"
#include "core/discover/judgement.hpp"
#include "core/discover/verdict_cache.hpp"

namespace muster {

class Prober {
 public:
  // may_probe false: only what is known already.
  Prober(const Config& config, bool may_probe);
  // Takes a plugin in state kUsable and sets state, stage, reason and facts.
  void decide(Judged& plugin) const;

 private:
  ProbeReport probe_file(const Judged& plugin) const;
  void apply(const ProbeReport& report, Judged& plugin) const;

  const Config& config_;
  bool may_probe_;
  VerdictCache cache_;
};

}  // namespace muster

#endif

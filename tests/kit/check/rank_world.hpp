// One rank of a world in which only the checked plugin is found, through the public API; and the
// groups in it.
//
// Thread rule: muster.h's. What fails throws Failed; a group that was not ended well is aborted, so
// that nobody waits for this rank.
#ifndef MUSTER_TESTS_KIT_CHECK_RANK_WORLD_HPP
#define MUSTER_TESTS_KIT_CHECK_RANK_WORLD_HPP

#include <optional>
#include <string>
#include <vector>

#include "muster/muster.h"
#include "tests/kit/check/catalogue.hpp"
#include "tests/kit/check/verdict.hpp"
#include "tests/ranks/runner.hpp"

namespace muster::check {

// Throws Failed with what was tried and what was said.
void need(const ranks::Said& said, const std::string& what);

class RankWorld {
 public:
  // builtin: the plugin's entry, in place of its file.
  explicit RankWorld(const Scene& scene, const std::string& config = {},
                     const muster_entry* builtin = nullptr);
  ~RankWorld();
  RankWorld(const RankWorld&) = delete;
  RankWorld& operator=(const RankWorld&) = delete;
  muster_runtime* get() const { return runtime_; }
  uint32_t rank() const { return muster_rank(runtime_); }
  uint32_t size() const { return muster_size(runtime_); }
  const std::string& id() const { return scene_.setup.id; }
  const Scene& scene() const { return scene_; }

 private:
  const Scene& scene_;
  muster_runtime* runtime_ = nullptr;
};

class RankGroup {
 public:
  explicit RankGroup(RankWorld& world, muster_determinism determinism = MUSTER_NONDETERMINISTIC);
  ~RankGroup();
  RankGroup(const RankGroup&) = delete;
  RankGroup& operator=(const RankGroup&) = delete;
  muster_group* get() const { return group_; }
  RankWorld& world() const { return world_; }
  // Throws when it cannot be destroyed.
  void destroy();
  // Whether the plugin itself serves a call of this case.
  bool serves(const ranks::Case& c) const;
  // A case of the plugin's, in which every rank waits for every other one; NotOffered when there is
  // none.
  ranks::Case meeting() const;

 private:
  RankWorld& world_;
  muster_group* group_ = nullptr;
};

// Runs the cases that the plugin serves; throws Failed with what was wrong first, NotOffered when
// it serves none of them. Returns how many it served.
// shared: for cases whose buffers lie there.
uint64_t run_cases(RankGroup& group, const std::vector<ranks::Case>& cases,
                   ranks::SharedMemory* shared = nullptr);

}  // namespace muster::check

#endif

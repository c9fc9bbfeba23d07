// A world: the ranks that met through a bootstrap, and the set-up exchanges among any subset of
// them.
//
// Wraps a muster_bootstrap table (the mpi plugin's, a program's own, or one of the built-in ones:
// local, threads, single) and supplies what the table lacks out of its put/get or all_gather.
// Thread rule: any thread; exchanges of one tag happen in one order on all members. Set-up only.
// Equivalent to a PMIx namespace with fences.
#ifndef MUSTER_CORE_BOOTSTRAP_WORLD_HPP
#define MUSTER_CORE_BOOTSTRAP_WORLD_HPP

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.hpp"
#include "muster/bootstrap.h"

struct muster_threads;

namespace muster {

struct MinMax {
  uint64_t min;
  uint64_t max;
};

class World {
 public:
  // Joins through a table; the instance is handed to its functions. name: "local", "mpi", ...
  static Result<std::unique_ptr<World>> open(const muster_bootstrap* table,
                                             muster_instance* instance, std::string name,
                                             uint64_t deadline_ns);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  uint32_t rank() const { return rank_; }
  uint32_t size() const { return size_; }
  const std::string& name() const { return name_; }

  // Every member of `ranks` (world ranks, the same list on all) gives bytes of any length; the
  // result is in list order. Fails with DEADLINE_EXCEEDED or PEER_LOST naming the world rank.
  Result<std::vector<std::string>> all_gather(std::span<const uint32_t> ranks, uint64_t tag,
                                              std::string_view bytes, uint64_t deadline_ns);
  // The bytes of ranks[root_index].
  Result<std::string> broadcast(std::span<const uint32_t> ranks, uint64_t tag, uint32_t root_index,
                                std::string_view bytes, uint64_t deadline_ns);
  // Per position of values, over all members.
  Result<std::vector<MinMax>> min_max(std::span<const uint32_t> ranks, uint64_t tag,
                                      std::span<const uint64_t> values, uint64_t deadline_ns);
  Status barrier(std::span<const uint32_t> ranks, uint64_t tag, uint64_t deadline_ns);

 private:
  World(const muster_bootstrap* table, muster_world* world, std::string name);
  // The next key of a tag, for an exchange that so many members take part in.
  std::string next_key(uint64_t tag, size_t members);
  Status put(const std::string& key, std::string_view bytes);
  Result<std::string> get(uint32_t from_rank, const std::string& key, uint64_t deadline_ns);
  Result<std::vector<std::string>> gather_natively(std::span<const uint32_t> ranks, uint64_t tag,
                                                   std::string_view bytes, uint64_t deadline_ns);

  const muster_bootstrap* table_;
  muster_world* world_;
  std::string name_;
  uint32_t rank_;
  uint32_t size_;
  std::mutex mutex_;
  std::map<uint64_t, uint64_t> sequence_;  // of put/get exchanges, per tag
};

// The built-in tables. An instance is made by the caller where one is needed.
// `muster run` hands its children MUSTER_LOCAL_FD, MUSTER_LOCAL_RANK, MUSTER_LOCAL_SIZE.
const muster_bootstrap* local_bootstrap();
// A world of one.
const muster_bootstrap* single_bootstrap();
// Ranks as threads: instance is a ThreadsSeat (threads.hpp).
const muster_bootstrap* threads_bootstrap();

}  // namespace muster

#endif

// A small runtime for the mpi plugin alone: loads the built .so as the runtime does (local
// symbols), opens its bootstrap, and gives groups the host functions that the plugin uses. One rank
// per process, under mpirun.
#ifndef MUSTER_TESTS_RANKS_MPI_HOST_HPP
#define MUSTER_TESTS_RANKS_MPI_HOST_HPP

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "muster/backend.h"
#include "muster/bootstrap.h"

namespace muster::testing {

struct Outcome {
  muster_code code = MUSTER_OK;
  std::string cause;
  bool ok() const { return code == MUSTER_OK; }
};

// One opened instance of the plugin.
class Plugin {
 public:
  explicit Plugin(const std::string& file);
  ~Plugin();
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;

  muster_instance* instance() const { return instance_; }
  const muster_backend& backend() const { return *backend_; }
  const muster_bootstrap& bootstrap() const { return *bootstrap_; }
  std::map<std::string, std::string> probe() const;

 private:
  const muster_entry* entry_;
  muster_instance* instance_ = nullptr;
  const muster_backend* backend_ = nullptr;
  const muster_bootstrap* bootstrap_ = nullptr;
};

class World {
 public:
  explicit World(const Plugin& plugin, uint64_t timeout_ms = 60'000);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  const Outcome& opened() const { return opened_; }
  uint32_t rank() const { return rank_; }
  uint32_t size() const { return size_; }
  const Plugin& plugin() const { return plugin_; }
  Outcome all_gather(const std::vector<uint32_t>& ranks, uint64_t tag, const std::string& bytes,
                     std::vector<std::string>& out, uint64_t timeout_ms = 60'000) const;
  std::vector<uint32_t> everybody() const;

 private:
  const Plugin& plugin_;
  muster_world* world_ = nullptr;
  Outcome opened_;
  uint32_t rank_ = 0;
  uint32_t size_ = 1;
};

struct GroupOptions {
  std::map<std::string, std::string> values;
  uint64_t timeout_ms = 60'000;
  uint64_t connect_timeout_ms = 60'000;
  int32_t lost_peer = -1;  // the group rank that the host reports as gone
};

}  // namespace muster::testing

// The runtime's side of one group.
struct muster_host_group {
  const muster::testing::World* world;
  std::vector<uint32_t> ranks;
  std::vector<muster_rank_place> places;
  muster_group_info info;
  muster::testing::GroupOptions options;
};

namespace muster::testing {

// One group of some world ranks, prepared and connected by the constructor.
class Group {
 public:
  Group(const World& world, std::vector<uint32_t> ranks, uint64_t tag, GroupOptions options = {});
  ~Group() { destroy(); }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  const Outcome& connected() const { return connected_; }
  uint32_t rank() const { return side_.info.rank; }
  uint32_t size() const { return side_.info.size; }
  Outcome execute(const muster_call& call);
  Outcome execute_batch(const std::vector<muster_call>& calls);
  void abort() { backend_.abort(group_); }
  void destroy();

 private:
  const muster_backend& backend_;
  muster_host_group side_{};
  muster_backend_group* group_ = nullptr;
  Outcome connected_;
};

// The rules of an offer by name, or why it declined.
struct Offer {
  std::vector<std::string> rules;
  std::string declined;
};
struct OfferQuestion {
  std::vector<muster_rank_place> places;
  std::vector<std::map<std::string, std::string>> facts;
  std::string bootstrap = "mpi";
  std::string adopt_comm;
};
Offer ask(const Plugin& plugin, const OfferQuestion& question);

}  // namespace muster::testing

#endif

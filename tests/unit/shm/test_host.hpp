// A runtime for the shm backend alone: N ranks as threads of this process, each with its own
// muster_host, group and opened instance. What the ranks exchange goes over a board in memory;
// waits and kernels are muster's own.
#ifndef MUSTER_TESTS_UNIT_SHM_TEST_HOST_HPP
#define MUSTER_TESTS_UNIT_SHM_TEST_HOST_HPP

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/status.hpp"
#include "muster/backend.h"
#include "muster/plugin.hpp"

extern "C" const muster_entry muster_plugin_entry;

namespace muster::shm_test {

using Options = std::map<std::string, std::string>;
// Chunks so small that little data takes many.
inline const Options kSmall = {{"chunk_bytes", "4096"}, {"box_bytes", "192"}};

// The backend's table, and its declared default of every option, overridden by `options`.
Options with_defaults(const Options& options);

struct World {
  explicit World(uint32_t size, Options options = {}, uint64_t call_ns = 60'000'000'000);
  ~World();

  const uint32_t size;
  const Options options;
  std::map<uint32_t, Options> options_of;  // by rank: what it has instead
  const uint64_t call_ns;                  // the deadline of each call
  std::vector<muster_rank_place> places;
  std::atomic<uint32_t>* const alive;  // one per rank, shared with forked processes
  std::atomic<uint32_t> aborted{0};
  std::function<bool(const muster_kernel_key&)> has_kernel;  // empty: all
  // Whoever waits sleeps until it is signalled, however long ago the word has changed.
  bool only_signals_wake = false;
  std::atomic<uint32_t> asleep{0};  // ranks that sleep so

  // Every rank's bytes to every rank; false when not all came.
  bool exchange(uint32_t rank, const void* data, uint64_t bytes, void* out);

 private:
  bool meet(std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t arrived_ = 0;
  std::vector<std::vector<unsigned char>> board_;
};

// One rank's opened backend with a group of the whole world, not yet connected.
class Rank {
 public:
  Rank(World* world, uint32_t rank);
  ~Rank();
  Rank(const Rank&) = delete;
  Rank& operator=(const Rank&) = delete;

  uint32_t rank() const;
  uint32_t size() const;
  Status prepare();
  Status connect();
  Status execute(const muster_call& call);
  Status execute_batch(const std::vector<muster_call>& calls);
  Status memory_register(void* pointer, uint64_t bytes, muster_memory memory, void** out);
  void memory_deregister(void* registration);
  // The runtime's side of the group, as the backend sees it.
  plugin::Group runtime() const;

 private:
  struct Host;
  Host* host_;
  muster_instance* instance_ = nullptr;
  const muster_backend* backend_ = nullptr;
  muster_backend_group* group_ = nullptr;
};

// Runs a body on every rank of a world, connected, each on its own thread. A rank that returns is
// gone for the others. Failures to connect fail the test.
void run_ranks(World& world, const std::function<void(Rank&)>& body);
// The same without prepare and connect.
void run_unconnected(World& world, const std::function<void(Rank&)>& body);

}  // namespace muster::shm_test

#endif

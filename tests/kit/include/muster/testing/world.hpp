// N ranks as threads of this process, through the public API only: what a test of collectives
// without a launcher, without MPI and without hardware runs in.
//
//   MockBackend fast("fast");
//   World(4).with(fast).run([](api::Runtime& runtime, uint32_t rank) {
//     api::Group group(runtime);
//     ...
//   });
//
// run starts one thread per rank, initialises a runtime in each, calls the body, finalizes, joins
// all, and throws one WorldFailure that names every rank that failed. A rank that does not come
// back within the deadline ends the process with a message that names it: a hang becomes a failed
// test. Not for use by several threads at once. As an in-process mpirun.
#ifndef MUSTER_TESTING_WORLD_HPP
#define MUSTER_TESTING_WORLD_HPP

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "muster/muster.hpp"
#include "muster/testing/mock_backend.hpp"

namespace muster::testing {

// How one rank failed.
struct RankFailure {
  uint32_t rank;
  muster_code code;  // INTERNAL for an exception that is not an api::Error
  std::string text;
};

class WorldFailure : public std::runtime_error {
 public:
  explicit WorldFailure(std::vector<RankFailure> failures);
  const std::vector<RankFailure>& failures() const { return failures_; }

 private:
  std::vector<RankFailure> failures_;
};

class World {
 public:
  using Body = std::function<void(api::Runtime& runtime, uint32_t rank)>;

  // For worlds of mocks: probed in this process, results not checked (a mock may have any action).
  // The configuration of every world that is not given another.
  static constexpr const char* kMockedConfig =
      "[plugins]\ninstalled = false\nprobe = \"in-process\"\n[check]\nknown_answer = false\n";

  explicit World(uint32_t size) : size_(size) {}

  // TOML, in place of kMockedConfig.
  World& config(std::string toml);
  // The same for one rank only: for ranks that disagree.
  World& config_of_rank(uint32_t rank, std::string toml);
  // A backend on every rank; it must outlive run.
  World& with(const muster_entry* entry);
  World& with(const detail::BackendMock& mock) { return with(mock.entry()); }
  // A backend on one rank only.
  World& with_on_rank(uint32_t rank, const muster_entry* entry);
  World& with_on_rank(uint32_t rank, const detail::BackendMock& mock) {
    return with_on_rank(rank, mock.entry());
  }
  // The device that each rank is bound to, -1: none. Ranks beyond the list are bound to none.
  World& devices(std::vector<int32_t> by_rank);
  World& deadline(std::chrono::milliseconds limit);

  // Throws WorldFailure.
  void run(const Body& body) const;
  // The failures, by rank; none: every rank succeeded.
  std::vector<RankFailure> failures_of(const Body& body) const;

 private:
  void run_rank(const api::Threads& threads, uint32_t rank, const Body& body) const;

  uint32_t size_;
  std::string config_ = kMockedConfig;
  std::map<uint32_t, std::string> rank_config_;
  std::vector<const muster_entry*> builtin_;
  std::multimap<uint32_t, const muster_entry*> rank_builtin_;
  std::vector<int32_t> devices_;
  std::chrono::milliseconds deadline_{60000};
};

}  // namespace muster::testing

#endif

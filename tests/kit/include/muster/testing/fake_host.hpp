// A muster_host for tests of one plugin's table, slot by slot, without libmuster: statuses,
// options, log and records that the test can read, and a group of one rank whose exchanges give
// back what the rank put in.
//
// Any thread, as host.h demands, except the set_ functions: before the host is handed out. Lives
// longer than every instance opened with it. As clap-helpers' test host.
#ifndef MUSTER_TESTING_FAKE_HOST_HPP
#define MUSTER_TESTING_FAKE_HOST_HPP

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "muster/backend.h"
#include "muster/host.h"

namespace muster::testing {

// What a status said; MUSTER_OK for NULL.
struct Outcome {
  muster_code code = MUSTER_OK;
  std::string cause;
  std::string remedy;
  bool ok() const { return code == MUSTER_OK; }
};

class FakeHost {
 public:
  FakeHost();
  ~FakeHost();
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;

  const muster_host* get() const;
  muster_host_group* group();

  // Options of the backend, for the runtime and for the group.
  void set_option(const std::string& key, const std::string& value);
  void set_group_option(const std::string& key, const std::string& value);

  // Takes the status over.
  static Outcome take(muster_status* status);
  // Statuses that were made and not released yet.
  static int live_statuses();

  // What probe says, by key.
  std::map<std::string, std::string> probe(const muster_backend& backend, muster_instance* instance,
                                           Outcome* outcome = nullptr);
  struct Offer {
    Outcome outcome;
    std::vector<muster_rule> rules;
    std::vector<std::string> declined;
  };
  // A group of ranks on one machine, each a process but with the bootstrap "threads".
  struct Asked {
    std::string bootstrap = "local";
    std::vector<std::map<std::string, std::string>> facts;  // one per rank
    muster_determinism determinism = MUSTER_NONDETERMINISTIC;
  };
  // What the backend offers to it.
  Offer offer(const muster_backend& backend, muster_instance* instance, const Asked& asked);
  // The same for `size` ranks that have the same facts.
  Offer offer(const muster_backend& backend, muster_instance* instance, uint32_t size,
              const std::map<std::string, std::string>& facts);

  std::vector<std::string> log() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace muster::testing

#endif

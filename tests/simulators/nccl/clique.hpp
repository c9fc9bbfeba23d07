// The ranks of one simulated communicator: how they meet, and how a collective or a set of messages
// is carried out among them. Ranks are threads of one process.
//
// Work runs on the streams' threads. A rank that waits for others waits until they come or its own
// communicator is aborted, as a kernel does.
#ifndef MUSTER_TESTS_SIMULATORS_NCCL_CLIQUE_HPP
#define MUSTER_TESTS_SIMULATORS_NCCL_CLIQUE_HPP

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/simulators/nccl/arithmetic.hpp"

namespace muster::simulators {

enum class Kind { kAllReduce, kReduce, kReduceScatter, kBroadcast, kAllGather, kMessages, kWindow };

struct Message {
  bool sends = false;
  int peer = 0;
  void* data = nullptr;
  size_t bytes = 0;
};

// What one rank asks for.
struct Job {
  Kind kind = Kind::kMessages;
  const void* send = nullptr;
  void* recv = nullptr;
  size_t count = 0;
  int datatype = 0;
  Reduction reduction;
  int root = 0;
  std::vector<Message> messages;
};

class Clique {
 public:
  // By the id that the ranks share; made by whoever comes first.
  static std::shared_ptr<Clique> of(const std::string& id, int size);

  // Announces a rank; the text says what is wrong with it, "" nothing.
  std::string join(int rank, int device, int version);
  bool complete();
  // Until all ranks have come; false when aborted.
  bool wait_complete(const bool& aborted);
  // Sets what a rank waits for besides, and wakes it.
  void abort(bool& aborted);

  // Carries out a rank's next job. The text says what is wrong, "" nothing.
  std::string run(int rank, const Job& job, const bool& aborted);

 private:
  explicit Clique(int size) : size_(size), devices_(size, -1), next_(size, 0) {}

  struct Round {
    std::vector<const Job*> jobs;
    int came = 0;
    int computed = 0;
    int left = 0;
  };
  struct Parcel {
    const Message* message;
    bool taken = false;
  };
  std::string run_messages(int rank, const Job& job, const bool& aborted);
  std::string mismatch(const Round& round) const;
  void compute(const Round& round, int rank, std::vector<unsigned char>& out) const;

  const int size_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int> devices_;
  int joined_ = 0;
  int version_ = 0;
  std::vector<uint64_t> next_;  // by rank: its next collective
  std::map<uint64_t, Round> rounds_;
  std::map<std::pair<int, int>, std::deque<Parcel*>> parcels_;  // from, to
};

}  // namespace muster::simulators

#endif

// One group's MPI communicator: how it is made, how calls on it start and end in bounded time, and
// the scratch memory that they need.
//
// Thread rule: group-serial; abort any thread. Lifetime: as the group. MPI cannot take a started
// call back. So after a call that failed half-way the communicator is broken for good: later calls
// are refused, and communicator and scratch memory are kept until the process ends, because peers
// may still write there. The same holds for the caller's buffers of that call.
// Rationale: scratch memory is the plugin's own, not the host's, which goes with the group.
#ifndef MUSTER_PLUGINS_BACKENDS_MPI_COMMUNICATOR_HPP
#define MUSTER_PLUGINS_BACKENDS_MPI_COMMUNICATOR_HPP

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "muster/plugin.hpp"
#include "plugins/backends/mpi/library.hpp"
#include "plugins/backends/mpi/process.hpp"
#include "plugins/backends/mpi/wait.hpp"

namespace muster::mpi {

// One message of a call.
struct Transfer {
  enum Direction { kSend, kReceive } direction;
  uint32_t peer;  // group rank
  void* data;     // sends do not write it
  uint64_t bytes;
};

// Tags of point-to-point messages on a group's communicator.
enum Tag : int { kProgram = 1, kInside = 2 };

class Communicator {
 public:
  explicit Communicator(plugin::Group group);
  ~Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  // Collective. Throws on every rank when it cannot be made on one.
  void connect();
  // Throws FAILED_PRECONDITION when no call can be made: MPI is over, or an earlier call failed.
  void require_usable() const;
  void abort() { aborted_.store(true, std::memory_order_relaxed); }

  uint32_t rank() const { return group_.rank(); }
  uint32_t size() const { return group_.size(); }
  MPI_Comm get() const { return held_->comm; }
  // The most elements, or bytes, that one MPI call is given.
  uint64_t limit() const { return limit_; }

  // Starts one nonblocking MPI call, start(MPI_Request*), and waits for it.
  template <typename Start>
  void collective(const char* what, Start&& start) {
    MPI_Request request = MPI_REQUEST_NULL;
    Breaks breaks(*this);
    {
      Serial serial;
      check(start(&request), what);
    }
    wait_(&request, &kAll, 1, nullptr, what);
    breaks.dismiss();
  }

  // Messages under way. Not finished: the communicator breaks.
  class Messages {
   public:
    ~Messages();
    Messages(const Messages&) = delete;
    Messages& operator=(const Messages&) = delete;
    void finish();

   private:
    friend class Communicator;
    Messages(Communicator& comm, const char* what) : comm_(comm), what_(what) {}
    void post(const Transfer& transfer, Tag tag);

    Communicator& comm_;
    const char* what_;
    bool finished_ = false;
    std::vector<MPI_Request> requests_;
    std::vector<uint32_t> peers_;
    std::vector<int> expected_;  // bytes; -1: a send
  };
  // Posts all; those longer than limit() in pieces. A pair of ranks sees its messages in order.
  std::unique_ptr<Messages> post(const std::vector<Transfer>& transfers, Tag tag, const char* what);
  void exchange(const std::vector<Transfer>& transfers, const char* what) {
    post(transfers, kInside, what)->finish();
  }

  // Memory that lasts until the next call for the same slot.
  void* scratch(size_t slot, uint64_t bytes);
  // Counts and displacements of MPI calls, which must last as long as the call.
  std::vector<int>& integers(size_t slot) { return held_->integers.at(slot); }

 private:
  static constexpr uint32_t kAll = kEveryRank;
  // What outlives a broken communicator.
  struct Held {
    MPI_Comm comm = MPI_COMM_NULL;
    std::array<std::vector<unsigned char>, 2> scratch;
    std::array<std::vector<int>, 2> integers;
  };
  class Breaks {
   public:
    explicit Breaks(Communicator& comm) : comm_(&comm) {}
    ~Breaks() {
      if (comm_ != nullptr) comm_->broken_ = true;
    }
    void dismiss() { comm_ = nullptr; }

   private:
    Communicator* comm_;
  };

  MPI_Comm adopted() const;
  void duplicate(MPI_Comm from);

  plugin::Group group_;
  std::atomic<bool> aborted_{false};
  Wait wait_;
  uint64_t limit_;
  bool broken_ = false;
  std::unique_ptr<Held> held_;
};

}  // namespace muster::mpi

#endif

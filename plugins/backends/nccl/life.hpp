// The life of one NCCL communicator: made, used, aborted, ended, each in bounded time.
//
// Shared by its group and by the threads that make, abort and end it, so that one that a bound has
// left behind still has what it works on. NCCL allows a communicator to be aborted from another
// thread than the one that is in a call on it, but not to be used afterwards: `Use` keeps the two
// apart. Thread rule: any thread.
#ifndef MUSTER_PLUGINS_BACKENDS_NCCL_LIFE_HPP
#define MUSTER_PLUGINS_BACKENDS_NCCL_LIFE_HPP

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "muster/plugin.hpp"
#include "plugins/backends/nccl/library.hpp"
#include "plugins/backends/nccl/settings.hpp"
#include "plugins/cuda_driver/contexts.hpp"

namespace muster::nccl {

class Life : public std::enable_shared_from_this<Life> {
 public:
  // How long the end of a group waits for that of its communicator.
  static constexpr uint64_t kEndingNs = 5'000'000'000;

  Life(const Library& library, std::shared_ptr<cuda::Contexts> contexts, uint32_t device);
  ~Life();
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;

  const Library& library() const { return library_; }
  const cuda::Driver& driver() const { return contexts_->driver(); }
  cuda::Context context() const { return context_; }

  // Joins the ranks that have the same id. Throws at the group's deadline, or when aborted.
  void make(const plugin::Group& group, const Settings& settings, const UniqueId& id);
  // Starts the end of everything that is under way, and returns; use fails from now on.
  void abort() noexcept;
  bool aborted() const { return aborted_.load(std::memory_order_relaxed); }
  // Ends the communicator, waiting kEndingNs at most; true when it has ended within that.
  bool end(const plugin::Host& host);
  // Throws when NCCL reports a failure after the fact.
  void check_async();

  // A call inside NCCL. While one lives the communicator stays valid, unless the call is stuck for
  // more than a second after an abort. Throws ABORTED.
  class Use {
   public:
    explicit Use(Life& life) : life_(life) {
      life.users_.fetch_add(1, std::memory_order_seq_cst);
      if (!life.aborted_.load(std::memory_order_seq_cst)) return;
      life.users_.fetch_sub(1);
      refuse();
    }
    ~Use() { life_.users_.fetch_sub(1, std::memory_order_release); }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    Comm comm() const { return life_.comm_.load(std::memory_order_relaxed); }

   private:
    [[noreturn]] static void refuse();
    Life& life_;
  };

  // Waits for a nonblocking call that has answered kInProgress. Throws what failed.
  // deadline_ns 0: the group's.
  void settle(const plugin::Group& group, Result result, const char* what, Comm comm,
              uint64_t deadline_ns = 0);

 private:
  void make_blocking(const plugin::Group& group, const Settings& settings, const UniqueId& id);
  void make_nonblocking(const plugin::Group& group, const Settings& settings, const UniqueId& id);
  void start_abort() noexcept;
  void finish();

  const Library& library_;
  std::shared_ptr<cuda::Contexts> contexts_;
  cuda::Context context_;
  std::atomic<Comm> comm_{nullptr};
  bool blocking_ = true;
  std::atomic<bool> aborted_{false};
  std::atomic<uint32_t> users_{0};
  std::atomic<bool> aborting_{false};  // somebody has taken it on
  std::mutex aborter_mutex_;
  std::thread aborter_;
  // Set once the abort is over and has let go of all this.
  const std::shared_ptr<std::atomic<bool>> ended_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace muster::nccl

#endif

#include "plugins/backends/nccl/life.hpp"

#include <chrono>
#include <mutex>
#include <thread>

#include "plugins/backends/nccl/bounded.hpp"
#include "plugins/cuda_driver/raise.hpp"

namespace muster::nccl {
namespace {

using plugin::fail;
using std::chrono::milliseconds;

void pause() { std::this_thread::sleep_for(std::chrono::microseconds(200)); }

std::string title(const plugin::Group& group) { return std::string(group.info().name); }

// Rationale: a rank that fails at once waits for the others in whatever comes next, until its own
// deadline; who waits for it here must come there in time, or the next backend falls out, too.
uint64_t joining_deadline(const plugin::Group& group) {
  const uint64_t now = group.host().now_ns();
  const uint64_t deadline = group.deadline_ns();
  return now >= deadline ? deadline : now + (deadline - now) / 4 * 3;
}

[[noreturn]] void fail_late(const plugin::Group& group, const char* what) {
  fail(
      MUSTER_DEADLINE_EXCEEDED,
      std::string(what) + " of group " + title(group) + " was not done at the deadline",
      "look whether all ranks live and reach each other (NCCL_DEBUG=INFO, NCCL_SOCKET_IFNAME); the "
      "limit is [group] timeout_ms");
}

[[noreturn]] void fail_aborted(const char* what) {
  fail(MUSTER_ABORTED, std::string(what) + ": the group was aborted");
}

}  // namespace

Life::Life(const Library& library, std::shared_ptr<cuda::Contexts> contexts, uint32_t device)
    : library_(library), contexts_(std::move(contexts)) {
  context_ = cuda::raising([&] { return contexts_->of(device); });
}

Life::~Life() {
  if (aborter_.joinable()) aborter_.detach();
}

void Life::Use::refuse() { fail_aborted("nccl"); }

void Life::make(const plugin::Group& group, const Settings& settings, const UniqueId& id) {
  blocking_ = settings.blocking;
  if (aborted()) fail_aborted("ncclCommInitRankConfig");
  blocking_ ? make_blocking(group, settings, id) : make_nonblocking(group, settings, id);
  // Either this thread or the one that aborts sees what the other has done.
  if (!aborted_.load(std::memory_order_seq_cst)) return;
  start_abort();
  fail_aborted("ncclCommInitRankConfig");
}

void Life::make_blocking(const plugin::Group& group, const Settings& settings, const UniqueId& id) {
  struct Made {
    std::mutex mutex;
    std::string name;
    Comm comm = nullptr;
    Result result = kSuccess;
    std::string error;
    bool left = false;  // nobody waits any more
  };
  const auto made = std::make_shared<Made>();
  made->name = title(group);
  const auto rank = static_cast<int>(group.rank());
  const auto size = static_cast<int>(group.size());
  const bool done = run_bounded(
      group.host(), joining_deadline(group), &aborted_,
      [self = shared_from_this(), made, settings, id, rank, size] {
        self->driver().context_set(self->context_);
        Config config = config_of(settings, self->library_.version(), made->name.c_str());
        Comm comm = nullptr;
        const Result result = self->library_.comm_init(&comm, size, id, rank, &config);
        const std::lock_guard<std::mutex> lock(made->mutex);
        made->comm = comm;
        made->result = result;
        if (result != kSuccess) made->error = self->library_.describe(result, nullptr);
        if (made->left && result == kSuccess) self->library_.comm_abort(comm);
      });
  const std::lock_guard<std::mutex> lock(made->mutex);
  if (!done && made->comm == nullptr && made->result == kSuccess) {
    made->left = true;
    if (aborted()) fail_aborted("ncclCommInitRankConfig");
    fail_late(group, "ncclCommInitRankConfig");
  }
  // The error's text is of the thread that made it.
  if (made->result != kSuccess) {
    fail(MUSTER_UNAVAILABLE, "ncclCommInitRankConfig: " + made->error,
         "run with NCCL_DEBUG=WARN, and NCCL says more");
  }
  comm_ = made->comm;
}

void Life::make_nonblocking(const plugin::Group& group, const Settings& settings,
                            const UniqueId& id) {
  const std::string name = title(group);
  Config config = config_of(settings, library_.version(), name.c_str());
  Comm comm = nullptr;
  const cuda::Current current(driver(), context_);
  const Result result = library_.comm_init(&comm, static_cast<int>(group.size()), id,
                                           static_cast<int>(group.rank()), &config);
  try {
    settle(group, result, "ncclCommInitRankConfig", comm, joining_deadline(group));
  } catch (...) {
    if (comm != nullptr) library_.comm_abort(comm);
    throw;
  }
  comm_ = comm;
}

void Life::settle(const plugin::Group& group, Result result, const char* what, Comm comm,
                  uint64_t deadline_ns) {
  if (result == kSuccess) return;
  if (deadline_ns == 0) deadline_ns = group.deadline_ns();
  while (result == kInProgress) {
    const Result asked = library_.comm_async_error(comm, &result);
    if (asked != kSuccess) library_.fail(asked, "ncclCommGetAsyncError", comm);
    if (result != kInProgress) break;
    if (aborted()) fail_aborted(what);
    if (group.host().now_ns() >= deadline_ns) fail_late(group, what);
    pause();
  }
  library_.check(result, what, comm);
}

void Life::abort() noexcept {
  aborted_.store(true, std::memory_order_seq_cst);
  if (comm_.load(std::memory_order_seq_cst) != nullptr) start_abort();
}

void Life::start_abort() noexcept {
  if (aborting_.exchange(true)) return;
  const std::lock_guard<std::mutex> lock(aborter_mutex_);
  try {
    // ncclCommAbort waits for the device, which whoever aborts must not.
    aborter_ = std::thread([self = shared_from_this(), ended = ended_]() mutable {
      self->driver().context_set(self->context_);
      // A call that is merely on its way gets the time to leave; one that is stuck ends by the
      // abort.
      for (int i = 0; i < 1000 && self->users_.load() != 0; ++i)
        std::this_thread::sleep_for(milliseconds(1));
      self->library_.comm_abort(self->comm_);
      self.reset();
      *ended = true;
    });
  } catch (const std::exception&) {
    *ended_ = true;  // no thread to be had: the communicator ends with the process
  }
}

// On a thread of its own.
void Life::finish() {
  driver().context_set(context_);
  const Comm comm = comm_;
  if (blocking_) {
    library_.comm_destroy(comm);
    return;
  }
  Result result = library_.comm_finalize(comm);
  const auto until = std::chrono::steady_clock::now() + std::chrono::nanoseconds(kEndingNs);
  while (result == kInProgress && std::chrono::steady_clock::now() < until) {
    if (library_.comm_async_error(comm, &result) != kSuccess) break;
    if (result == kInProgress) pause();
  }
  result == kSuccess ? library_.comm_destroy(comm) : library_.comm_abort(comm);
}

bool Life::end(const plugin::Host& host) {
  if (comm_.load() == nullptr) return true;
  const uint64_t deadline = host.now_ns() + kEndingNs;
  if (!aborted_.exchange(true, std::memory_order_seq_cst) && !aborting_.exchange(true))
    return run_bounded(host, deadline, nullptr, [self = shared_from_this()] { self->finish(); });
  while (!ended_->load()) {
    if (host.now_ns() >= deadline) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  const std::lock_guard<std::mutex> lock(aborter_mutex_);
  if (aborter_.joinable()) aborter_.join();
  return true;
}

void Life::check_async() {
  if (comm_.load() == nullptr || aborted()) return;
  const Use use(*this);
  Result result = kSuccess;
  library_.check(library_.comm_async_error(use.comm(), &result), "ncclCommGetAsyncError",
                 use.comm());
  if (result != kInProgress) library_.check(result, "nccl reports a failure", use.comm());
}

}  // namespace muster::nccl

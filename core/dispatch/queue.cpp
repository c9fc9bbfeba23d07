#include "core/dispatch/queue.hpp"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <system_error>

#include "core/base/wait.hpp"
#include "core/dispatch/checked.hpp"
#include "core/dispatch/dispatch.hpp"

namespace muster {

CallQueue::~CallQueue() {
  drain();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void CallQueue::start(muster_work* work) {
  const uint32_t attention = group_.attention.fetch_or(kAttentionQueue, std::memory_order_relaxed);
  // In checked mode the ranks compare the call before it runs, which waits for them: on the thread.
  const bool checked = (attention & kAttentionChecked) != 0;
  bool thread_idle = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    thread_idle = waiting_.empty() && !running_;
  }
  if (thread_idle && !checked) {
    const Candidate* const candidate = find_candidate(group_, work->call);
    if (candidate == nullptr) {
      work->failure = Status(not_offered(group_, work->call));
      work->done = true;
      return;
    }
    const LiveBackend* const live = group_.live_backend(candidate->backend);
    if (live != nullptr && live->table->start != nullptr) {
      Counter& counter = candidate->counters[work->call.op];
      counter.calls += 1;
      counter.bytes += counted_bytes(work->call, work->call.op);
      group_.context.begin_operation();
      work->backend = live;
      muster_status* const status = live->table->start(live->state, &work->call, &work->request);
      if (status != nullptr) {
        work->failure = Status(call_failed(group_, work->call, status));
        work->done = true;
        return;
      }
      started_.push_back(work);
      return;
    }
  }
  while (!started_.empty()) wait(started_.front());
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    // First, for what waits without a thread waits for ever.
    if (Status status = ensure_thread(); !status.ok()) {
      work->failure = std::move(status);
      work->done = true;
      return;
    }
    waiting_.push_back(work);
  }
  changed_.notify_all();
}

Status CallQueue::ensure_thread() {
  if (thread_.joinable()) return Status();
  try {
    thread_ = std::thread([this] { run_thread(); });
    return Status();
  } catch (const std::system_error& error) {
    return Status(
        MUSTER_RESOURCE_EXHAUSTED,
        fmt::format("no thread for the started calls of group {}: {}", group_.name, error.what()),
        "raise the limit of processes (ulimit -u), or make the call with muster_execute");
  }
}

// One look at a started call; true once it is done.
bool CallQueue::progress(muster_work* work) {
  uint32_t done = 0;
  muster_status* const status =
      work->backend->table->test(work->backend->state, work->request, &done);
  if (status == nullptr && done == 0) return false;
  if (status != nullptr) work->failure = Status(call_failed(group_, work->call, status));
  work->done = true;
  work->request = nullptr;
  started_.erase(std::remove(started_.begin(), started_.end(), work), started_.end());
  return true;
}

bool CallQueue::test(muster_work* work) {
  if (work->backend != nullptr) return work->done || progress(work) || give_up_if_aborted(work);
  const std::lock_guard<std::mutex> lock(mutex_);
  return work->done;
}

// Its request stays the backend's, until group_destroy.
void CallQueue::give_up(muster_work* work, Status why) {
  work->failure = Status(call_failed(group_, work->call, why.release()));
  work->done = true;
  work->request = nullptr;
  started_.erase(std::remove(started_.begin(), started_.end(), work), started_.end());
}

bool CallQueue::give_up_if_aborted(muster_work* work) {
  if (group_.context.aborted.load(std::memory_order_acquire) == 0) return false;
  give_up(work, Status(MUSTER_ABORTED, "the group was aborted before it was done"));
  return true;
}

void CallQueue::wait_for_backend(muster_work* work) {
  const uint64_t deadline = now_ns() + group_.context.timeout_ns;
  while (true) {
    // Everything outstanding is looked at: the call that is waited for may need another one to move
    // on.
    const std::vector<muster_work*> outstanding = started_;
    for (muster_work* other : outstanding) progress(other);
    // As muster_host.wait, which nothing makes a backend's test come to.
    if (work->done || give_up_if_aborted(work)) return;
    if (now_ns() > deadline) {
      return give_up(work, Status(MUSTER_DEADLINE_EXCEEDED,
                                  fmt::format("backend {} has not ended it in {} ms",
                                              work->backend->plugin->id(),
                                              group_.context.timeout_ns / 1'000'000),
                                  "look whether every rank makes the same calls in the same order, "
                                  "and waits for them; the limit is [group] timeout_ms"));
    }
    sched_yield();
  }
}

void CallQueue::wait(muster_work* work) {
  if (work->backend != nullptr) {
    if (!work->done) wait_for_backend(work);
    return;
  }
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [work] { return work->done; });
}

void CallQueue::drain() {
  while (!started_.empty()) wait(started_.front());
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return waiting_.empty() && !running_; });
  group_.attention.fetch_and(~uint32_t{kAttentionQueue}, std::memory_order_relaxed);
}

void CallQueue::run_thread() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    muster_work* const work = waiting_.front();
    waiting_.pop_front();
    running_ = true;
    lock.unlock();
    // A broken group refuses what was still waiting; the queue itself must not be waited for from
    // here.
    Status failure;
    const uint32_t attention = group_.attention.load(std::memory_order_relaxed);
    if ((attention & kAttentionBroken) != 0) {
      failure =
          Status(MUSTER_ABORTED, "the call was not begun, an earlier one of its group failed");
    } else if ((attention & kAttentionChecked) != 0) {
      failure = check_across_ranks(group_, work->call);
    }
    if (failure.ok()) failure = Status(run_now(group_, work->call));
    lock.lock();
    work->failure = std::move(failure);
    work->done = true;
    running_ = false;
    changed_.notify_all();
  }
}

}  // namespace muster

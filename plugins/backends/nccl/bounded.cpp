#include "plugins/backends/nccl/bounded.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

namespace muster::nccl {

bool run_bounded(const plugin::Host& host, uint64_t deadline_ns, const std::atomic<bool>* stop,
                 std::function<void()> body) {
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
  };
  const auto shared = std::make_shared<Shared>();
  std::thread worker([shared, body = std::move(body)]() mutable {
    body();
    // What it works on goes before whoever waits goes on, who may be about to leave the process.
    body = nullptr;
    const std::lock_guard<std::mutex> lock(shared->mutex);
    shared->done = true;
    shared->changed.notify_all();
  });
  std::unique_lock<std::mutex> lock(shared->mutex);
  while (!shared->done) {
    const uint64_t now = host.now_ns();
    if (now >= deadline_ns || (stop != nullptr && stop->load())) {
      worker.detach();
      return false;
    }
    const uint64_t slice = std::min<uint64_t>(deadline_ns - now, 20'000'000);
    shared->changed.wait_for(lock, std::chrono::nanoseconds(slice));
  }
  lock.unlock();
  worker.join();
  return true;
}

}  // namespace muster::nccl

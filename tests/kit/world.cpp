#include "muster/testing/world.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>

namespace muster::testing {

namespace {

std::string text_of(const std::vector<RankFailure>& failures) {
  std::string text;
  for (const RankFailure& failure : failures) {
    if (!text.empty()) text += "\n";
    text += "rank " + std::to_string(failure.rank) + ": " + failure.text;
  }
  return text;
}

// Which ranks have come back.
class Arrivals {
 public:
  explicit Arrivals(uint32_t size) : arrived_(size, false) {}

  void arrive(uint32_t rank) {
    const std::lock_guard lock(mutex_);
    arrived_[rank] = true;
    all_.notify_all();
  }

  // The ranks that are missing after `limit`.
  std::string missing_after(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    const auto complete = [this] {
      return std::find(arrived_.begin(), arrived_.end(), false) == arrived_.end();
    };
    if (all_.wait_for(lock, limit, complete)) return {};
    std::string ranks;
    for (size_t rank = 0; rank < arrived_.size(); ++rank) {
      if (!arrived_[rank]) ranks += " " + std::to_string(rank);
    }
    return ranks;
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_;
  std::vector<bool> arrived_;
};

}  // namespace

WorldFailure::WorldFailure(std::vector<RankFailure> failures)
    : std::runtime_error(text_of(failures)), failures_(std::move(failures)) {}

World& World::config(std::string toml) {
  config_ = std::move(toml);
  return *this;
}

World& World::config_of_rank(uint32_t rank, std::string toml) {
  rank_config_[rank] = std::move(toml);
  return *this;
}

World& World::with(const muster_entry* entry) {
  builtin_.push_back(entry);
  return *this;
}

World& World::with_on_rank(uint32_t rank, const muster_entry* entry) {
  rank_builtin_.emplace(rank, entry);
  return *this;
}

World& World::devices(std::vector<int32_t> by_rank) {
  devices_ = std::move(by_rank);
  return *this;
}

World& World::deadline(std::chrono::milliseconds limit) {
  deadline_ = limit;
  return *this;
}

void World::run_rank(const api::Threads& threads, uint32_t rank, const Body& body) const {
  std::vector<const muster_entry*> builtin = builtin_;
  const auto [first, last] = rank_builtin_.equal_range(rank);
  for (auto own = first; own != last; ++own) builtin.push_back(own->second);
  const auto own_config = rank_config_.find(rank);

  api::RuntimeOptions options;
  options.builtin = builtin.data();
  options.builtin_count = static_cast<uint32_t>(builtin.size());
  options.config_text =
      own_config == rank_config_.end() ? config_.c_str() : own_config->second.c_str();
  options.threads = threads.get();
  options.thread_rank = rank;
  if (rank < devices_.size()) options.device_plus_one = devices_[rank] + 1;
  api::Runtime runtime = api::Runtime::init(options);
  body(runtime, rank);
}

std::vector<RankFailure> World::failures_of(const Body& body) const {
  const api::Threads world(size_);
  Arrivals arrivals(size_);
  std::mutex mutex;
  std::vector<RankFailure> failures;
  const auto fail = [&](uint32_t rank, muster_code code, std::string text) {
    const std::lock_guard lock(mutex);
    failures.push_back({rank, code, std::move(text)});
  };

  std::vector<std::thread> threads;
  for (uint32_t rank = 0; rank < size_; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        run_rank(world, rank, body);
      } catch (const api::Error& error) {
        fail(rank, error.code(), error.what());
      } catch (const std::exception& error) {
        fail(rank, MUSTER_INTERNAL, error.what());
      } catch (...) {
        fail(rank, MUSTER_INTERNAL, "an exception of an unknown type");
      }
      arrivals.arrive(rank);
    });
  }
  const std::string missing = arrivals.missing_after(deadline_);
  if (!missing.empty()) {
    // The threads use this frame and cannot be stopped, so the process is all that can end.
    std::fprintf(stderr, "muster::testing::World: of %u ranks these did not return in %lld ms:%s\n",
                 size_, static_cast<long long>(deadline_.count()), missing.c_str());
    const std::lock_guard lock(mutex);
    for (const RankFailure& failure : failures) {
      std::fprintf(stderr, "  rank %u had failed: %s\n", failure.rank, failure.text.c_str());
    }
    std::abort();
  }
  for (std::thread& thread : threads) thread.join();
  std::sort(failures.begin(), failures.end(),
            [](const RankFailure& a, const RankFailure& b) { return a.rank < b.rank; });
  return failures;
}

void World::run(const Body& body) const {
  std::vector<RankFailure> failures = failures_of(body);
  if (!failures.empty()) throw WorldFailure(std::move(failures));
}

}  // namespace muster::testing

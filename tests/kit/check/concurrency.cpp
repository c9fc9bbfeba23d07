// concurrency: groups side by side, ranks that are threads of one process, several runtimes in it.
#include <fmt/format.h>

#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/kit/check/catalogue.hpp"
#include "tests/kit/check/plugin_file.hpp"
#include "tests/kit/check/rank_world.hpp"
#include "tests/kit/check/verdict.hpp"
#include "tests/ranks/selection.hpp"
#include "tests/ranks/values.hpp"

namespace muster::check {
namespace {

// Runs all at once and throws what one of them threw: what was wrong before what others saw of it.
void at_once(const std::vector<std::function<void()>>& bodies) {
  std::mutex mutex;
  std::exception_ptr failure;
  std::vector<std::thread> threads;
  for (const auto& body : bodies) {
    threads.emplace_back([&] {
      try {
        body();
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
}

// Some of the matrix: every operation a few times.
std::vector<ranks::Case> some_cases(uint32_t size, uint64_t seed) {
  std::vector<ranks::Case> all = ranks::pairwise_cases(size, seed);
  std::vector<ranks::Case> some;
  for (const ranks::Case& c : all) {
    if (ranks::mix(c.seed, 77u) % 4 == 0 && c.count <= 5000) some.push_back(c);
  }
  return some;
}

// A world of threads that runs some cases on every rank.
std::vector<std::function<void()>> world_of(const Setup& setup, uint32_t ranks,
                                            muster_threads* threads, uint64_t seed) {
  std::vector<std::function<void()>> bodies;
  for (uint32_t r = 0; r < ranks; ++r) {
    bodies.emplace_back([=, &setup] {
      const Scene rank{setup, {}, threads, r, {}};
      RankWorld world(rank);
      RankGroup group(world);
      run_cases(group, some_cases(ranks, seed));
      group.destroy();
    });
  }
  return bodies;
}

struct Threads {
  explicit Threads(uint32_t ranks) {
    need(muster_threads_create(ranks, &get), "muster_threads_create");
  }
  ~Threads() { muster_threads_release(get); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  muster_threads* get = nullptr;
};

}  // namespace

std::string concurrency_groups(const Scene& scene) {
  RankWorld world(scene);
  RankGroup one(world);
  RankGroup other(world);
  static_cast<void>(one.meeting());
  const auto body = [&](RankGroup& group, uint64_t seed) {
    return [&, seed] { run_cases(group, some_cases(world.size(), seed)); };
  };
  at_once({body(one, scene.setup.seed), body(other, ranks::mix(scene.setup.seed))});
  one.destroy();
  other.destroy();
  return {};
}

std::string concurrency_threads(const Scene& scene) {
  host_offer_to_threads(scene.setup);
  const Threads threads(scene.setup.ranks);
  at_once(world_of(scene.setup, scene.setup.ranks, threads.get, scene.setup.seed));
  return {};
}

std::string concurrency_runtimes(const Scene& scene) {
  host_offer_to_threads(scene.setup);
  const Threads one(scene.setup.ranks);
  const Threads other(scene.setup.ranks);
  auto bodies = world_of(scene.setup, scene.setup.ranks, one.get, scene.setup.seed);
  for (auto& body : world_of(scene.setup, scene.setup.ranks, other.get, scene.setup.seed + 1)) {
    bodies.push_back(std::move(body));
  }
  at_once(bodies);
  return {};
}

}  // namespace muster::check

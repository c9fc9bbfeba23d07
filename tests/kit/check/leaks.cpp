// leaks: what groups and calls take is given back. Each case runs the same round several times and
// compares what the process has after the first rounds with what it has at the end.
#include <fmt/format.h>
#include <malloc.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include "tests/kit/check/catalogue.hpp"
#include "tests/kit/check/rank_world.hpp"
#include "tests/kit/check/verdict.hpp"

namespace muster::check {
namespace {

constexpr int kWarm = 3;
constexpr int kRounds = 6;
constexpr int kStarted = 400;  // enough for requests of 200 bytes to be seen

int64_t entries(const char* directory) {
  return std::distance(std::filesystem::directory_iterator(directory),
                       std::filesystem::directory_iterator());
}

// Allocated by malloc, and mapped by anyone.
int64_t heap_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<int64_t>(info.uordblks + info.hblkhd);
}
int64_t mapped_pages() {
  std::ifstream file("/proc/self/statm");
  int64_t pages = 0;
  file >> pages;
  return pages;
}

struct Measure {
  const char* what;
  std::function<int64_t()> now;
  int64_t per_round;  // as much may stay: records of the runtime, caches of the C library
};

std::string grow(const Scene& scene, const std::vector<Measure>& measures) {
  if (scene.threads != nullptr) throw NotOffered("a process of its own is needed (--in-process)");
  RankWorld world(scene);
  const auto round = [&] {
    RankGroup group(world);
    const ranks::Case c = group.meeting();
    run_cases(group, std::vector<ranks::Case>(20, c));
    ranks::Case started = c;
    started.mode = ranks::Mode::kStartWait;
    run_cases(group, std::vector<ranks::Case>(kStarted, started));
    void* memory = nullptr;
    need(muster_mem_alloc(group.get(), 1 << 16, MUSTER_HOST, &memory), "muster_mem_alloc");
    need(muster_mem_free(group.get(), memory), "muster_mem_free");
    group.destroy();
  };
  for (int i = 0; i < kWarm; ++i) round();
  std::vector<int64_t> before;
  for (const Measure& measure : measures) before.push_back(measure.now());
  for (int i = 0; i < kRounds; ++i) round();
  for (size_t i = 0; i < measures.size(); ++i) {
    const int64_t grown = measures[i].now() - before[i];
    if (grown > measures[i].per_round * kRounds) {
      throw Failed(fmt::format("{} groups of {} calls each left {} {} behind", kRounds,
                               20 + kStarted, grown, measures[i].what));
    }
  }
  return {};
}

}  // namespace

std::string leaks_memory(const Scene& scene) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  throw NotOffered("the sanitizer of this build keeps what is freed");
#endif
  return grow(scene, {{"bytes of memory", heap_bytes, 64 << 10},
                      {"pages of address space", mapped_pages, 64}});
}

std::string leaks_descriptors(const Scene& scene) {
  return grow(scene, {{"descriptors", [] { return entries("/proc/self/fd"); }, 0}});
}

std::string leaks_threads(const Scene& scene) {
  return grow(scene, {{"threads", [] { return entries("/proc/self/task"); }, 0}});
}

}  // namespace muster::check

// determinism: the classes that rules declare, on float sums, whose bits depend on the order of
// additions.
#include <fmt/format.h>

#include <cstring>
#include <vector>

#include "tests/kit/check/catalogue.hpp"
#include "tests/kit/check/rank_world.hpp"
#include "tests/kit/check/verdict.hpp"
#include "tests/ranks/values.hpp"

namespace muster::check {
namespace {

constexpr uint64_t kCounts[] = {1, 7, 1000, 40000};

// A sum of f32 over the ranks, in a group of one class.
class Sums {
 public:
  Sums(RankWorld& world, muster_determinism determinism, const char* name)
      : world_(world), group_(world, determinism) {
    ranks::Case c;
    c.op = MUSTER_ALL_REDUCE;
    c.dtype = MUSTER_F32;
    c.redop = MUSTER_SUM;
    for (const uint64_t count : kCounts) {
      c.count = count;
      if (group_.serves(c)) counts_.push_back(count);
    }
    if (counts_.empty()) {
      throw NotOffered(fmt::format("it offers no all_reduce of f32 that is {}", name));
    }
  }
  const std::vector<uint64_t>& counts() const { return counts_; }

  // The sum of elements first, first + 1, ... of each rank's input.
  std::vector<float> of(uint64_t first, uint64_t count) {
    std::vector<float> in(count);
    std::vector<float> out(count);
    ranks::Input{world_.scene().setup.seed, world_.rank(), MUSTER_F32}.fill(in.data(), first,
                                                                            count);
    need(muster_all_reduce(group_.get(), in.data(), out.data(), count, MUSTER_F32, MUSTER_SUM,
                           nullptr),
         fmt::format("all_reduce of {} elements", count));
    return out;
  }
  void destroy() { group_.destroy(); }

 private:
  RankWorld& world_;
  RankGroup group_;
  std::vector<uint64_t> counts_;
};

// The first element with other bits; count for none.
uint64_t first_difference(const float* a, const float* b, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) {
    if (std::memcmp(a + i, b + i, sizeof(float)) != 0) return i;
  }
  return count;
}

}  // namespace

std::string determinism_run_to_run(const Scene& scene) {
  RankWorld world(scene);
  Sums sums(world, MUSTER_RUN_TO_RUN, "run-to-run");
  std::string failure;
  for (const uint64_t count : sums.counts()) {
    const std::vector<float> first = sums.of(0, count);
    for (int run = 2; run <= 5; ++run) {
      const std::vector<float> again = sums.of(0, count);
      const uint64_t at = first_difference(first.data(), again.data(), count);
      if (at != count && failure.empty()) {
        failure = fmt::format("element {} of {}: {:.9g} in the first run, {:.9g} in run {}", at,
                              count, first[at], again[at], run);
      }
    }
  }
  if (!failure.empty()) throw Failed(failure);
  sums.destroy();
  return {};
}

std::string determinism_rank_invariant(const Scene& scene) {
  RankWorld world(scene);
  Sums sums(world, MUSTER_RANK_INVARIANT, "rank-invariant");
  uint64_t digest = 0;
  for (const uint64_t count : sums.counts()) {
    for (const float value : sums.of(0, count)) {
      uint32_t bits = 0;
      std::memcpy(&bits, &value, sizeof(bits));
      digest = ranks::mix(digest, bits);
    }
  }
  sums.destroy();
  return fmt::format("{:016x}", digest);
}

std::string determinism_size_invariant(const Scene& scene) {
  RankWorld world(scene);
  Sums sums(world, MUSTER_SIZE_INVARIANT, "size-invariant");
  const uint64_t most = sums.counts().back();
  const std::vector<float> whole = sums.of(0, most);
  std::string failure;
  for (const uint64_t count : sums.counts()) {
    for (const uint64_t first : {uint64_t{0}, (most - count) / 2 | 1, most - count}) {
      if (first + count > most) continue;
      const std::vector<float> part = sums.of(first, count);
      const uint64_t at = first_difference(whole.data() + first, part.data(), count);
      if (at != count && failure.empty()) {
        failure =
            fmt::format("element {} of {} elements is {:.9g}, as element {} of {} it is {:.9g}",
                        first + at, most, whole[first + at], at, count, part[at]);
      }
    }
  }
  if (!failure.empty()) throw Failed(failure);
  sums.destroy();
  return {};
}

}  // namespace muster::check

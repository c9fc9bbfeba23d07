// Three ranks as threads of this process: every operation that the plugin offers, compared with
// what it must give, and served by the plugin.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <muster/muster.hpp>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace muster::api;

constexpr uint32_t kRanks = 3;

// What rank gives at index: whole numbers, so that sums of floats are exact.
float given(uint32_t rank, uint64_t index) {
  return static_cast<float>((index * 7 + rank * 13) % 101) - 50;
}

std::vector<float> given(uint32_t rank, size_t count, uint64_t first) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = given(rank, first + i);
  return values;
}

class Rank {
 public:
  Rank(const Threads& threads, uint32_t rank)
      : runtime_(Runtime::init(threads, rank)), group_(runtime_), rank_(rank) {}

  int wrong() {
    int wrong = 0;
    for (const size_t count : {size_t{0}, size_t{1}, size_t{1000}, size_t{40000}}) {
      wrong += all_reduce(count) + broadcast(count) + all_gather(count);
    }
    group_.barrier();
    for (const muster_op op : {MUSTER_ALL_REDUCE, MUSTER_BROADCAST, MUSTER_ALL_GATHER}) {
      wrong += served_by_another(op);
    }
    return wrong;
  }

 private:
  int all_reduce(size_t count) {
    std::vector<float> data = given(rank_, count, 0);
    group_.all_reduce(data, data, MUSTER_SUM);  // in place
    std::vector<float> largest(count);
    group_.all_reduce(given(rank_, count, 0), largest, MUSTER_MAX);
    int wrong = 0;
    for (size_t i = 0; i < count; ++i) {
      const float of[kRanks] = {given(0, i), given(1, i), given(2, i)};
      wrong += data[i] != of[0] + of[1] + of[2];
      wrong += largest[i] != std::max({of[0], of[1], of[2]});
    }
    return wrong;
  }

  int broadcast(size_t count) {
    std::vector<float> data = given(rank_, count, 5);
    group_.broadcast(data, 1);
    return data == given(1, count, 5) ? 0 : 1;
  }

  int all_gather(size_t count) {
    std::vector<float> all(kRanks * count);
    group_.all_gather(given(rank_, count, 9), all);
    std::vector<float> expected;
    for (uint32_t rank = 0; rank < kRanks; ++rank) {
      const std::vector<float> part = given(rank, count, 9);
      expected.insert(expected.end(), part.begin(), part.end());
    }
    return all == expected ? 0 : 1;
  }

  int served_by_another(muster_op op) {
    float data[kRanks] = {};
    muster_call call = muster_call_init(op, MUSTER_F32);
    if (op == MUSTER_ALL_REDUCE) call.redop = MUSTER_SUM;
    call.count = 1;
    call.send = &data[rank_];
    call.recv = data;
    const std::string backend = group_.backend(call);
    if (backend == PLUGIN_ID) return 0;
    std::fprintf(stderr, "operation %u is served by %s\n", op, backend.c_str());
    return 1;
  }

  Runtime runtime_;
  Group group_;
  uint32_t rank_;
};

}  // namespace

int main() {
  const Threads threads(kRanks);
  std::atomic<int> wrong{0};
  std::vector<std::jthread> ranks;
  for (uint32_t rank = 0; rank < kRanks; ++rank) {
    ranks.emplace_back([&threads, &wrong, rank] {
      try {
        wrong += Rank(threads, rank).wrong();
      } catch (const std::exception& error) {
        std::fprintf(stderr, "rank %u: %s\n", rank, error.what());
        ++wrong;
      }
    });
  }
  ranks.clear();
  std::printf("%d wrong\n", wrong.load());
  return wrong == 0 ? 0 : 1;
}

// The same in C++20: four ranks as threads, one all_reduce over ranges, one by role, one started
// call.
#include <atomic>
#include <cstdio>
#include <exception>
#include <muster/muster.hpp>
#include <muster/parallel.hpp>
#include <numeric>
#include <thread>
#include <vector>

namespace {

using namespace muster::api;

constexpr uint32_t kRanks = 4;

int run_rank(const Threads& threads, uint32_t rank) {
  const Runtime runtime = Runtime::init(threads, rank);
  GroupOptions options;
  options.name = "installed";
  Group group(runtime, options);

  std::vector<int32_t> send(1000);
  std::iota(send.begin(), send.end(), static_cast<int32_t>(rank));
  std::vector<int32_t> recv(send.size());
  group.all_reduce(send, recv, MUSTER_SUM);
  int wrong = 0;
  for (int32_t i = 0; i < 1000; ++i) wrong += recv[static_cast<size_t>(i)] != 4 * i + 6;

  const Layout layout(runtime, LayoutSizes::parse("tp=2,pp=2"));
  const int32_t mine = static_cast<int32_t>(rank);
  int32_t sum = -1;
  layout.tp().all_reduce(&mine, &sum, 1, MUSTER_SUM);
  wrong += sum != (rank < 2 ? 1 : 5);

  double total = rank;
  muster_call call = muster_call_init(MUSTER_ALL_REDUCE, dtype_of<double>());
  call.redop = MUSTER_MAX;
  call.count = 1;
  call.send = &total;
  call.recv = &total;
  Work work = group.start(call);
  work.wait();
  wrong += total != kRanks - 1;

  if (rank == 0) std::printf("all_reduce by %s: %d wrong\n", group.backend(call).c_str(), wrong);
  return wrong;
}

}  // namespace

int main() {
  const Threads threads(kRanks);
  std::atomic<int> wrong{0};
  std::vector<std::jthread> ranks;
  for (uint32_t rank = 0; rank < kRanks; ++rank) {
    ranks.emplace_back([&threads, &wrong, rank] {
      try {
        wrong += run_rank(threads, rank);
      } catch (const std::exception& error) {
        std::fprintf(stderr, "rank %u: %s\n", rank, error.what());
        ++wrong;
      }
    });
  }
  ranks.clear();
  return wrong == 0 ? 0 : 1;
}

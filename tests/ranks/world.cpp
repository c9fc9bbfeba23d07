#include "tests/ranks/world.hpp"

#include <algorithm>
#include <cstdio>
#include <thread>
#include <vector>

#include "tests/ranks/runner.hpp"

namespace muster::ranks {
namespace {

int run_rank(muster_threads* threads, uint32_t thread_rank, const std::string& config_text,
             const std::function<int(muster_runtime*)>& body) {
  muster_runtime_options options = {};
  options.struct_size = MUSTER_RUNTIME_OPTIONS_SIZE;
  options.config_text = config_text.c_str();
  options.threads = threads;
  options.thread_rank = thread_rank;
  muster_runtime* runtime = nullptr;
  if (const Said said = muster_init(&options, &runtime); !said.ok()) {
    std::fprintf(stderr, "muster_init: %s\n", said.message.c_str());
    return 1;
  }
  const int result = body(runtime);
  muster_finalize(runtime);
  return result;
}

}  // namespace

int run_ranks(uint32_t threads, const std::string& config_text,
              const std::function<int(muster_runtime*)>& body) {
  if (threads == 0) return run_rank(nullptr, 0, config_text, body);
  muster_threads* world = nullptr;
  if (const Said said = muster_threads_create(threads, &world); !said.ok()) {
    std::fprintf(stderr, "muster_threads_create: %s\n", said.message.c_str());
    return 1;
  }
  std::vector<int> results(threads);
  std::vector<std::thread> running;
  for (uint32_t r = 0; r < threads; ++r) {
    running.emplace_back([&, r] { results[r] = run_rank(world, r, config_text, body); });
  }
  for (std::thread& thread : running) thread.join();
  muster_threads_release(world);
  return *std::max_element(results.begin(), results.end());
}

}  // namespace muster::ranks

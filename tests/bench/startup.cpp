// One rank of the start-up measurement: starts a runtime and makes a group of all ranks, and rank 0
// appends to a file how many nanoseconds each step took, a line "step<tab>ns" each. startup.py
// starts it again and again under `muster run`.
//
//   muster run -n 2 -- bench_startup FILE
//
// The ranks begin together: the launcher starts one after the other, and that is not about them.
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/agree/runtime.hpp"
#include "core/base/wait.hpp"
#include "core/dispatch/group.hpp"
#include "muster/muster.hpp"

namespace {

using namespace muster;

void append_steps(std::string& lines, const char* whole, const StepTimes& times, uint64_t total) {
  for (const auto& [name, ns] : times.steps()) lines += fmt::format("  {}\t{}\n", name, ns);
  lines += fmt::format("{}\t{}\n", whole, total);
}

// Returns once all ranks are here: each leaves a file beside FILE.
void meet(const std::string& file) {
  const char* const rank = std::getenv("MUSTER_LOCAL_RANK");
  const char* const size = std::getenv("MUSTER_LOCAL_SIZE");
  if (rank == nullptr || size == nullptr) return;
  const auto here = [&](int r) { return fmt::format("{}.rank{}", file, r); };
  std::FILE* const mine = std::fopen(here(std::atoi(rank)).c_str(), "w");
  if (mine == nullptr) throw std::runtime_error("cannot write beside " + file);
  std::fclose(mine);
  for (int r = 0; r < std::atoi(size); ++r) {
    while (access(here(r).c_str(), F_OK) != 0) sched_yield();
  }
}

int run(const char* file) {
  meet(file);
  const uint64_t begin = now_ns();
  api::Runtime runtime = api::Runtime::init(api::RuntimeOptions());
  const uint64_t started = now_ns();
  // The ranks come out of muster_init at different times; what follows is not about that.
  {
    api::Group together(runtime);
    together.barrier();
  }
  const uint64_t group_begin = now_ns();
  api::Group group(runtime);
  const uint64_t made = now_ns();
  group.barrier();
  if (group.rank() != 0) return 0;
  std::string lines;
  append_steps(lines, "muster_init", runtime.get()->start_times, started - begin);
  append_steps(lines, "muster_group_create", group.get()->setup_times, made - group_begin);
  std::FILE* const out = std::fopen(file, "a");
  if (out == nullptr) throw std::runtime_error(std::string("cannot write ") + file);
  std::fputs(lines.c_str(), out);
  return std::fclose(out);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: bench_startup FILE\n");
    return 2;
  }
  try {
    return run(arguments[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

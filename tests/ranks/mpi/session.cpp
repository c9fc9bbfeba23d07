#include "tests/ranks/mpi/session.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

namespace muster::testing {
namespace {

// On ranks other than 0: says what failed, nothing else.
class FailuresOnly : public ::testing::EmptyTestEventListener {
 public:
  explicit FailuresOnly(uint32_t rank) : rank_(rank) {}
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::fprintf(stderr, "rank %u: %s:%d: %s\n", rank_, result.file_name(), result.line_number(),
                 result.summary());
  }

 private:
  uint32_t rank_;
};

}  // namespace

Session& session() {
  static Session session;
  return session;
}

int run_session(int argc, char** argv, void (*begin)(const std::string& level), void (*end)()) {
  ::testing::InitGoogleTest(&argc, argv);
  std::string plugin;
  std::string level;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.rfind("--init=", 0) == 0) {
      level = argument.substr(7);
    } else if (argument.rfind("--max-count=", 0) == 0) {
      session().max_count = argument.substr(12);
    } else {
      plugin = argument;
    }
  }
  if (begin != nullptr) begin(level);
  session().plugin = std::make_unique<Plugin>(plugin);
  session().world = std::make_unique<World>(*session().plugin);
  if (!session().world->opened().ok()) {
    std::fprintf(stderr, "%s\n", session().world->opened().cause.c_str());
    return EXIT_FAILURE;
  }
  auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
  if (session().world->rank() != 0) {
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new FailuresOnly(session().world->rank()));
  }
  const int result = RUN_ALL_TESTS();
  session().world.reset();
  session().plugin.reset();
  if (end != nullptr) end();
  return result;
}

}  // namespace muster::testing

// An author's test with the installed kit: a mocked backend serves a world of three threads.
#include <atomic>
#include <cstdio>
#include <exception>
#include <muster/testing/mock_backend.hpp>
#include <muster/testing/world.hpp>

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  muster::testing::MockBackend mock("mocked", 100);
  std::atomic<int> executed{0};
  ON_CALL(mock, execute).WillByDefault([&](muster::testing::MockGroup&, const muster_call& call) {
    if (call.op == MUSTER_BARRIER) ++executed;
  });
  try {
    muster::testing::World(3).with(mock).run(
        [](muster::api::Runtime& runtime, uint32_t) { muster::api::Group(runtime).barrier(); });
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  std::printf("the mock was called %d times\n", executed.load());
  return executed == 3 ? 0 : 1;
}

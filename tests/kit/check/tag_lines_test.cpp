// The guard between runtime and plugin: it stands in front of every function pointer, and notes
// what breaks the tag lines.
#include "tests/kit/check/tag_lines.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <ostream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "muster/testing/fake_host.hpp"
#include "muster/testing/mock_backend.hpp"
#include "tests/kit/check/checked_host.hpp"
#include "tests/kit/check/checked_plugin.hpp"

namespace muster::check {
namespace {

using testing::FakeHost;
using testing::MockBackend;

using Pointer = void (*)();
// The function pointers of a table from its first one to its end.
template <typename Table>
std::vector<Pointer> functions_of(const Table& table, size_t first) {
  std::vector<Pointer> functions((sizeof(Table) - first) / sizeof(Pointer));
  std::memcpy(functions.data(), reinterpret_cast<const char*>(&table) + first,
              functions.size() * sizeof(Pointer));
  return functions;
}

TEST(TagLines, GivenABackendWithEverySlotThenTheGuardStandsBeforeEachOfThem) {
  // As long as the process, which guards one plugin.
  static MockBackend mock("guarded", 50,
                          testing::kMockStart | testing::kMockBatch | testing::kMockMemory |
                              testing::kMockCapture | testing::kMockAsyncError |
                              testing::kMockAbort);
  const muster_entry* const guarded = guard_plugin(*mock.entry());
  FakeHost host;
  muster_instance* instance = nullptr;
  ASSERT_TRUE(FakeHost::take(guarded->open(host.get(), &instance)).ok());
  const auto* const table = static_cast<const muster_backend*>(
      guarded->get_interface(instance, MUSTER_BACKEND_INTERFACE));
  ASSERT_NE(table, nullptr);
  const auto own = functions_of(*mock.table(), offsetof(muster_backend, probe));
  const auto seen = functions_of(*table, offsetof(muster_backend, probe));
  ASSERT_EQ(own.size(), 15u);
  for (size_t i = 0; i < own.size(); ++i) {
    EXPECT_NE(seen[i], nullptr) << "slot " << i;
    EXPECT_NE(seen[i], own[i]) << "slot " << i;
  }
  guarded->close(instance);
}

TEST(TagLines, GivenTheRuntimesTableThenOnlyWhatCannotBeBreachedGoesPastTheGuard) {
  FakeHost host;
  const CheckedHost checked(host.get());
  constexpr size_t kFirst = offsetof(muster_host, status_make);
  const auto real = functions_of(*host.get(), kFirst);
  const auto seen = functions_of(checked.table, kFirst);
  const auto at = [](size_t offset) { return (offset - kFirst) / sizeof(Pointer); };
  // All of them [any-thread] [local] [no-block], and without a muster_host.
  const std::set<size_t> past = {
      at(offsetof(muster_host, status_code)),    at(offsetof(muster_host, status_cause)),
      at(offsetof(muster_host, status_release)), at(offsetof(muster_host, now_ns)),
      at(offsetof(muster_host, group_info)),     at(offsetof(muster_host, group_option)),
      at(offsetof(muster_host, signal)),         at(offsetof(muster_host, peer_alive))};
  for (size_t i = 0; i < real.size(); ++i) {
    EXPECT_EQ(seen[i] == real[i], past.count(i) != 0) << "function " << i;
  }
}

struct Place {
  const char* name;
  Slot slot;
  Reach reach;
  bool allowed;
};
void PrintTo(const Place& place, std::ostream* out) { *out << place.name; }
class Reached : public ::testing::TestWithParam<Place> {};

TEST_P(Reached, GivenAFunctionOfTheRuntimeInASlotThenItIsAllowedAsTheTagLinesSay) {
  const Inside call(nullptr, GetParam().slot);
  EXPECT_EQ(check_host_call("function", GetParam().reach), GetParam().allowed);
}

constexpr Slot kConnect = {"connect", ThreadClass::kSetup, Waits::kForRanks, true};
constexpr Slot kPrepare = {"prepare", ThreadClass::kSetup, Waits::kForDevices};
constexpr Slot kExecute = {"execute", ThreadClass::kSerial, Waits::kForRanks};
constexpr Slot kStart = {"start", ThreadClass::kSerial, Waits::kNever};
constexpr Slot kAbort = {"abort", ThreadClass::kAny, Waits::kNever};

INSTANTIATE_TEST_SUITE_P(
    Places, Reached,
    ::testing::Values(Place{"gather_in_connect", kConnect, Reach::kCollective, true},
                      Place{"gather_in_prepare", kPrepare, Reach::kCollective, false},
                      Place{"gather_in_execute", kExecute, Reach::kCollective, false},
                      Place{"scratch_in_execute", kExecute, Reach::kSerial, true},
                      Place{"scratch_in_prepare", kPrepare, Reach::kSerial, true},
                      Place{"scratch_in_abort", kAbort, Reach::kSerial, false},
                      Place{"flush_in_prepare", kPrepare, Reach::kWaits, true},
                      Place{"flush_in_start", kStart, Reach::kWaits, false},
                      Place{"wait_in_execute", kExecute, Reach::kWaitsForAnother, true},
                      Place{"wait_in_prepare", kPrepare, Reach::kWaitsForAnother, false},
                      Place{"wait_in_abort", kAbort, Reach::kWaitsForAnother, false}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(TagLines, GivenAThreadOfThePluginsOwnThenOnlyAnyThreadFunctionsAreAllowed) {
  std::thread([] {
    EXPECT_FALSE(check_host_call("all_gather", Reach::kCollective));
    EXPECT_FALSE(check_host_call("scratch", Reach::kSerial));
    EXPECT_TRUE(check_host_call("wait", Reach::kWaitsForAnother));
  }).join();
}

TEST(TagLines, GivenTwoSerialSlotsAtOnceThenTheFirstBreachIsKept) {
  const std::string before = first_breach();  // of another test of this process
  std::atomic<int> busy{0};
  const Inside one(&busy, kExecute);
  const Inside other(&busy, kStart);
  note("later");
  EXPECT_EQ(first_breach(), before.empty()
                                ? "the runtime called start beside another [group-serial] function"
                                : before);
}

}  // namespace
}  // namespace muster::check

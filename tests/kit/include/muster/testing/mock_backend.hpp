// A backend made of GoogleMock methods, for tests of whatever sits above backends.
//
//   MockBackend fast("fast", 90);
//   ON_CALL(fast, probe).WillByDefault(Throw(plugin::Failure(MUSTER_UNAVAILABLE, "no device")));
//   EXPECT_CALL(fast, execute(Field(...), _)).Times(4);
//   options.builtin = {fast.entry()};                 // or World::with(fast)
//
// Untouched it offers every operation on host memory and succeeds without moving data. All ranks
// that are threads of the process share one mock, each with a MockGroup of its own; per-group
// expectations are set in an action of prepare. A method fails by throwing, as in plugin.hpp.
//
// Calls arrive on any thread; set expectations before the runtimes start. The mock lives longer
// than every runtime that was given its entry. At most kMaxMocks at a time in a process.
#ifndef MUSTER_TESTING_MOCK_BACKEND_HPP
#define MUSTER_TESTING_MOCK_BACKEND_HPP

#include <gmock/gmock.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "muster/backend.h"
#include "muster/plugin.hpp"

namespace muster::testing {

inline constexpr size_t kMaxMocks = 64;

// Slots that a mock leaves NULL unless they are asked for, as bits.
enum MockSlots : uint32_t {
  kMockStart = 1u << 0,  // start and test
  kMockBatch = 1u << 1,
  kMockMemory = 1u << 2,  // memory_register and memory_deregister
  kMockCapture = 1u << 3,
  kMockAsyncError = 1u << 4,
  kMockAbort = 1u << 5,
};

namespace detail {

// One rank's part of one group of a mock.
class GroupMock {
 public:
  explicit GroupMock(plugin::Group runtime_side) : runtime_(runtime_side) {}
  uint32_t rank() const { return runtime_.rank(); }
  uint32_t size() const { return runtime_.size(); }
  std::string name() const { return runtime_.info().name; }
  // What the runtime gives: all_gather, scratch, wait ...
  const plugin::Group& runtime() const { return runtime_; }

  MOCK_METHOD(void, connect, ());
  MOCK_METHOD(void, execute, (const muster_call& call));

 private:
  plugin::Group runtime_;
};

}  // namespace detail

using MockGroup = ::testing::NiceMock<detail::GroupMock>;

namespace detail {

struct MockSlot;

class BackendMock {
 public:
  // id: [a-z0-9_]+. optional: bits of MockSlots.
  explicit BackendMock(const std::string& id, int32_t priority = 50, uint32_t optional = 0,
                       const std::string& version = "1.0.0");
  virtual ~BackendMock();
  BackendMock(const BackendMock&) = delete;
  BackendMock& operator=(const BackendMock&) = delete;

  // For muster_runtime_options.builtin.
  const muster_entry* entry() const;
  const muster_backend* table() const;

  // A rule that takes every operation on host memory, of any size; the default offer.
  static muster_rule everything();

  MOCK_METHOD(void, probe, (plugin::Facts facts));
  MOCK_METHOD(void, offer, (plugin::Query query));
  MOCK_METHOD(void, prepare, (MockGroup & group));
  // By default these two call the method of the same name of the group.
  MOCK_METHOD(void, connect, (MockGroup & group));
  MOCK_METHOD(void, execute, (MockGroup & group, const muster_call& call));
  MOCK_METHOD(void, destroy, (MockGroup & group));

  // By default a started call is executed at once and done at the first test.
  MOCK_METHOD(muster_request*, start, (MockGroup & group, const muster_call& call));
  MOCK_METHOD(bool, test, (MockGroup & group, muster_request* request));
  // By default executes the calls one by one.
  MOCK_METHOD(void, execute_batch, (MockGroup & group, const muster_call* calls, uint32_t count));
  MOCK_METHOD(void*, memory_register,
              (MockGroup & group, void* pointer, uint64_t bytes, muster_memory memory));
  MOCK_METHOD(void, memory_deregister, (MockGroup & group, void* registration));
  MOCK_METHOD(void, capture_begin, (MockGroup & group, muster_phase phase));
  MOCK_METHOD(void, capture_end, (MockGroup & group, bool ok));
  MOCK_METHOD(void, async_error, (MockGroup & group));
  MOCK_METHOD(void, abort, (MockGroup & group));

 private:
  MockSlot* slot_;
};

}  // namespace detail

using MockBackend = ::testing::NiceMock<detail::BackendMock>;

}  // namespace muster::testing

#endif

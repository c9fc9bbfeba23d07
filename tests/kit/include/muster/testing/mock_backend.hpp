// A backend made of GoogleMock methods, for tests of whatever sits above backends.
//
//   MockBackend fast("fast", 90);
//   ON_CALL(fast, probe).WillByDefault(Throw(plugin::Failure(MUSTER_UNAVAILABLE, "no device")));
//   EXPECT_CALL(fast, execute(OnRank(1), Call(MUSTER_ALL_REDUCE).count(64))).Times(4);
//   options.builtin = {fast.entry()};                 // or World::with(fast)
//
// Untouched it offers every operation on host memory and computes it, among ranks that are threads
// of this process: what is called is right for every operation, dtype and reduce operation, or
// fails on all ranks with the rank and the field that differ. All of these ranks share one mock,
// each with a MockGroup of its own; per-group expectations are set in an action of prepare. A
// method fails by throwing, as in plugin.hpp.
//
// Calls arrive on any thread; set expectations before the runtimes start. The mock lives longer
// than every runtime that was given its entry. At most kMaxMocks at a time in a process. As
// NCCL behind a fake, without a device.
#ifndef MUSTER_TESTING_MOCK_BACKEND_HPP
#define MUSTER_TESTING_MOCK_BACKEND_HPP

#include <gmock/gmock.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <ostream>
#include <string>
#include <vector>

#include "muster/backend.h"
#include "muster/plugin.hpp"
#include "muster/testing/call.hpp"

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

class Meeting;

// One rank's part of one group of a mock.
class GroupMock {
 public:
  explicit GroupMock(plugin::Group runtime_side);
  virtual ~GroupMock();
  GroupMock(const GroupMock&) = delete;
  GroupMock& operator=(const GroupMock&) = delete;
  uint32_t rank() const { return runtime_.rank(); }
  uint32_t size() const { return runtime_.size(); }
  std::string name() const { return runtime_.info().name; }
  // What the runtime gives: all_gather, scratch, wait ...
  const plugin::Group& runtime() const { return runtime_; }

  MOCK_METHOD(void, connect, ());
  // By default carries the call out.
  MOCK_METHOD(void, execute, (const muster_call& call));

  // What mocks do by default, for actions that add to it: move and reduce real data, together with
  // the other ranks. Buffers are read and written where they lie, so they must be the host's.
  void carry_out(const muster_call& call) { carry_out(&call, 1); }
  // Several as one: no order among them.
  void carry_out(const muster_call* calls, uint32_t count);
  // The same, begun; finished tells when it is over, and frees the request then.
  muster_request* begin(const muster_call& call);
  bool finished(muster_request* request);

  // Where the ranks meet; of the backend's table, before connect. [collective]
  void join();

 private:
  Meeting& meeting();

  plugin::Group runtime_;
  std::shared_ptr<Meeting> meeting_;  // NULL for ranks of several processes
};

void PrintTo(const ::testing::NiceMock<GroupMock>& group, std::ostream* out);

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

  // A rule that takes every operation on host memory, of any size; the default offer, in graph
  // phases too where these are asked for.
  static muster_rule everything();
  // Offers these rules instead.
  BackendMock& offers(std::vector<muster_rule> rules);

  // What reached execute, start and execute_batch, in the order in which it came.
  std::vector<RecordedCall> calls() const;
  // Of one rank, of all groups.
  std::vector<RecordedCall> calls_of(uint32_t rank) const;
  void forget_calls();

  MOCK_METHOD(void, probe, (plugin::Facts facts));
  MOCK_METHOD(void, offer, (plugin::Query query));
  MOCK_METHOD(void, prepare, (MockGroup & group));
  // By default these two call the method of the same name of the group.
  MOCK_METHOD(void, connect, (MockGroup & group));
  MOCK_METHOD(void, execute, (MockGroup & group, const muster_call& call));
  MOCK_METHOD(void, destroy, (MockGroup & group));

  // By default these three carry the calls out without execute: nothing of theirs waits in between.
  MOCK_METHOD(muster_request*, start, (MockGroup & group, const muster_call& call));
  MOCK_METHOD(bool, test, (MockGroup & group, muster_request* request));
  MOCK_METHOD(void, execute_batch, (MockGroup & group, const muster_call* calls, uint32_t count));
  MOCK_METHOD(void*, memory_register,
              (MockGroup & group, void* pointer, uint64_t bytes, muster_memory memory));
  MOCK_METHOD(void, memory_deregister, (MockGroup & group, void* registration));
  MOCK_METHOD(void, capture_begin, (MockGroup & group, muster_phase phase));
  MOCK_METHOD(void, capture_end, (MockGroup & group, bool ok));
  MOCK_METHOD(void, async_error, (MockGroup & group));
  MOCK_METHOD(void, abort, (MockGroup & group));

  // Of the backend's table.
  void record(const MockGroup& group, const char* slot, const muster_call& call);

 private:
  MockSlot* slot_;
  mutable std::mutex mutex_;
  std::vector<RecordedCall> calls_;
};

}  // namespace detail

using MockBackend = ::testing::NiceMock<detail::BackendMock>;

// A mock whose calls succeed on every rank by itself and move nothing: for tests of what is called,
// when, with what. start and execute_batch execute one by one.
class IdleBackend : public MockBackend {
 public:
  explicit IdleBackend(const std::string& id, int32_t priority = 50, uint32_t optional = 0,
                       const std::string& version = "1.0.0");
};

}  // namespace muster::testing

#endif

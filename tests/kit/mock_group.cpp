#include "muster/testing/mock_backend.hpp"
#include "tests/kit/meeting.hpp"

namespace muster::testing::detail {
namespace {

// A started call.
struct Begun {
  Meeting::Turn turn;
};

Begun* begun_of(muster_request* request) { return reinterpret_cast<Begun*>(request); }

}  // namespace

GroupMock::GroupMock(plugin::Group runtime_side) : runtime_(runtime_side) {
  ON_CALL(*this, execute).WillByDefault([this](const muster_call& call) { carry_out(call); });
}

GroupMock::~GroupMock() {
  if (meeting_ != nullptr) meeting_->end(runtime_, "has left");
}

void GroupMock::join() {
  const muster_group_info& info = runtime_.info();
  for (uint32_t r = 1; r < info.size; ++r) {
    if (info.places[r].process != info.places[0].process) return;
  }
  uint64_t number = rank() == 0 ? Meeting::new_number() : 0;
  if (info.size > 1) runtime_.broadcast(0, &number, sizeof(number));
  meeting_ = Meeting::numbered(number, info.size);
}

Meeting& GroupMock::meeting() {
  if (meeting_ == nullptr) {
    plugin::fail(MUSTER_UNIMPLEMENTED,
                 "a mock computes among ranks that are threads of one process, once connected",
                 "use IdleBackend, or give execute an action of the test's own");
  }
  return *meeting_;
}

void GroupMock::carry_out(const muster_call* calls, uint32_t count) {
  Meeting& here = meeting();
  here.wait_for(runtime_, here.lay_down(runtime_, calls, count));
}

muster_request* GroupMock::begin(const muster_call& call) {
  return reinterpret_cast<muster_request*>(new Begun{meeting().lay_down(runtime_, &call, 1)});
}

bool GroupMock::finished(muster_request* request) {
  std::unique_ptr<Begun> mine(begun_of(request));  // freed also when it failed
  if (meeting().is_done(mine->turn)) return true;
  static_cast<void>(mine.release());
  return false;
}

void PrintTo(const MockGroup& group, std::ostream* out) {
  *out << "rank " << group.rank() << " of group " << group.name();
}

}  // namespace muster::testing::detail

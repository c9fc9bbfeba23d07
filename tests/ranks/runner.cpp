#include "tests/ranks/runner.hpp"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>

namespace muster::ranks {

Said::Said(muster_status* status)
    : code(muster_status_code(status)), message(muster_status_message(status)) {
  muster_status_release(status);
}

Runner::Runner(muster_group* group, SharedMemory* shared)
    : group_(group),
      shared_(shared),
      rank_(muster_group_rank(group)),
      size_(muster_group_size(group)) {}

Outcome Runner::run(const Case& c, bool sampled) {
  Outcome outcome;
  side_ = {};
  data_.prepare(c, rank_, size_, shared_);
  if (data_.takes_part()) {
    const char* name = "";
    const Said said = muster_group_backend(group_, &data_.call(), &name);
    outcome.backend = name;
    if (!said.ok()) {
      outcome.failure = said.message;
      return outcome;
    }
  }
  const Said said = call_in(c.mode, c);
  if (!said.ok()) {
    outcome.failure = said.message;
    return outcome;
  }
  if (data_.takes_part()) data_.check(sampled, outcome.wrong);
  if (side_.count != 0) outcome.wrong.note(side_.count, side_.first);
  return outcome;
}

Said Runner::call_in(Mode mode, const Case& c) {
  if (mode == Mode::kBatch) return batch(c);
  if (mode == Mode::kStartTest) return start_and_test();
  if (!data_.takes_part()) return nullptr;
  switch (mode) {
    case Mode::kFunction:
      return call_function(group_, data_.call());
    case Mode::kStartWait:
      return start_and_wait();
    case Mode::kPlan:
      return plan(c);
    default:
      return muster_execute(group_, &data_.call());
  }
}

Said Runner::start_and_wait() {
  muster_work* work = nullptr;
  if (Said said = muster_start(group_, &data_.call(), &work); !said.ok()) return said;
  Said said = muster_work_wait(work);
  muster_work_release(work);
  return said;
}

Said Runner::start_and_test() {
  const muster_call barrier = muster_call_init(MUSTER_BARRIER, MUSTER_DTYPE_NONE);
  std::vector<muster_work*> works;
  Said result = nullptr;
  const auto start = [&](const muster_call& call) {
    muster_work* work = nullptr;
    if (!result.ok()) return;
    result = muster_start(group_, &call, &work);
    if (result.ok()) works.push_back(work);
  };
  if (data_.takes_part()) start(data_.call());
  start(barrier);
  while (result.ok()) {
    uint32_t all = 1;
    for (muster_work* const work : works) {
      uint32_t done = 0;
      if (Said said = muster_work_test(work, &done); !said.ok()) result = said;
      all &= done;
    }
    if (all != 0) break;
    sched_yield();
  }
  for (muster_work* const work : works) muster_work_release(work);
  return result;
}

Said Runner::plan(const Case& c) {
  muster_plan* plan = nullptr;
  if (Said said = muster_plan_create(group_, &data_.call(), &plan); !said.ok()) return said;
  Said result = nullptr;
  for (uint64_t replay = 0; replay < 3 && result.ok(); ++replay) {
    if (replay != 0) {
      data_.check(false, side_);
      data_.refill(mix(c.seed, 10u, replay));
    }
    result = muster_plan_run(plan);
  }
  muster_plan_release(plan);
  return result;
}

// The case's call among messages of every rank to every other, each rank in an order of its own.
Said Runner::batch(const Case& c) {
  messages_.resize(size_);
  std::vector<muster_call> calls;
  for (uint32_t shift = 1; shift < size_; ++shift) {
    Case message;
    message.op = MUSTER_SEND_RECV;
    message.dtype = c.dtype == MUSTER_DTYPE_NONE ? muster_dtype{MUSTER_U8} : c.dtype;
    message.root = shift;
    message.count = 400;
    message.seed = mix(c.seed, 11u, shift);
    message.place = c.place;
    messages_[shift].prepare(message, rank_, size_, shared_);
    muster_call send = messages_[shift].call();
    muster_call receive = send;
    send.op = MUSTER_SEND;
    receive.op = MUSTER_RECV;
    receive.peer = receive.recv_peer;
    receive.count = receive.recv_count;
    calls.push_back(send);
    calls.push_back(receive);
  }
  for (size_t i = calls.size(); i > 1; --i) {
    std::swap(calls[i - 1], calls[mix(c.seed, rank_, i) % i]);
  }
  if (data_.takes_part()) {
    // Messages between two ranks are matched by their order.
    const size_t at = op_is_message(c.op) ? 0 : mix(c.seed, rank_) % (calls.size() + 1);
    calls.insert(calls.begin() + static_cast<std::ptrdiff_t>(at), data_.call());
  }
  Said said = muster_batch(group_, calls.data(), static_cast<uint32_t>(calls.size()));
  for (uint32_t shift = 1; said.ok() && shift < size_; ++shift) {
    messages_[shift].check(false, side_);
  }
  return said;
}

}  // namespace muster::ranks

#include "tests/kit/meeting.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "muster/names.h"
#include "muster/testing/collective.hpp"

namespace muster::testing::detail {
namespace {

struct {
  std::mutex mutex;
  std::map<uint64_t, std::weak_ptr<Meeting>> all;
} meetings;

uint64_t load(const muster_wait_word& word) {
  return __atomic_load_n(&word.value, __ATOMIC_ACQUIRE);
}

bool is_message(muster_op op) {
  return op == MUSTER_SEND || op == MUSTER_RECV || op == MUSTER_SEND_RECV;
}

KernelLookup kernels_of(const plugin::Group& group) {
  return [host = group.host()](const char* family, muster_dtype dtype, muster_redop redop) {
    return host.kernel<muster_kernel_function>(family, dtype, redop);
  };
}

// What all ranks receive, written to where each wants it.
void carry_out(const std::vector<muster_call>& calls, const KernelLookup& kernels) {
  std::vector<const muster_call*> all;
  for (const muster_call& call : calls) all.push_back(&call);
  if (const std::string cause = disagreement_of(all); !cause.empty()) {
    plugin::fail(MUSTER_MISMATCH, "the ranks make different calls: " + cause,
                 "every rank makes the same collective calls in the same order");
  }
  // In place a result lies where another rank still reads.
  std::vector<std::vector<Piece>> results;
  for (uint32_t rank = 0; rank < calls.size(); ++rank) {
    results.push_back(result_of(all, rank, kernels));
  }
  for (uint32_t rank = 0; rank < calls.size(); ++rank) {
    write_pieces(calls[rank].recv, results[rank]);
  }
}

}  // namespace

uint64_t Meeting::new_number() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

std::shared_ptr<Meeting> Meeting::numbered(uint64_t number, uint32_t size) {
  const std::lock_guard lock(meetings.mutex);
  for (auto at = meetings.all.begin(); at != meetings.all.end();) {
    at = at->second.expired() ? meetings.all.erase(at) : std::next(at);
  }
  std::weak_ptr<Meeting>& known = meetings.all[number];
  std::shared_ptr<Meeting> meeting = known.lock();
  if (meeting == nullptr) known = meeting = std::make_shared<Meeting>(size);
  return meeting;
}

void Meeting::need_present(uint32_t rank, const muster_call& call) const {
  const bool message = is_message(call.op);
  for (const auto& [gone, cause] : gone_) {
    if (message && gone != rank && gone != call.peer &&
        (call.op != MUSTER_SEND_RECV || gone != call.recv_peer)) {
      continue;
    }
    plugin::fail(MUSTER_ABORTED, cause);
  }
}

Meeting::Turn Meeting::lay_down(const plugin::Group& group, const muster_call* calls,
                                uint32_t count) {
  Turn turn;
  const uint32_t rank = group.rank();
  const auto message = [&](bool sends, const muster_call& call, uint32_t peer, uint64_t elements) {
    auto made = std::make_shared<Message>();
    made->sends = sends;
    made->from = call.send;
    made->to = call.recv;
    made->bytes = elements * MUSTER_DTYPE_BYTES(call.dtype);
    made->rank = rank;
    lay_message(group, sends ? Pair{rank, peer} : Pair{peer, rank}, std::move(made), turn);
  };
  const std::lock_guard lock(mutex_);
  for (uint32_t i = 0; i < count; ++i) need_present(rank, MUSTER_AT(muster_call, calls, i));
  for (uint32_t i = 0; i < count; ++i) {
    const muster_call& call = MUSTER_AT(muster_call, calls, i);
    switch (call.op) {
      case MUSTER_SEND:
        message(true, call, call.peer, call.count);
        break;
      case MUSTER_RECV:
        message(false, call, call.peer, call.count);
        break;
      case MUSTER_SEND_RECV:
        message(true, call, call.peer, call.count);
        message(false, call, call.recv_peer, call.recv_count);
        break;
      default:
        lay_collective(group, call, turn);
    }
  }
  return turn;
}

void Meeting::lay_collective(const plugin::Group& group, const muster_call& call, Turn& turn) {
  const uint32_t rank = group.rank();
  const auto size = static_cast<uint32_t>(calls_of_.size());
  const uint64_t number = calls_of_[rank]++;
  const uint64_t met = load(met_);
  while (met + rounds_.size() <= number) {
    rounds_.push_back(std::make_shared<Round>());
    rounds_.back()->calls.resize(size);
    rounds_.back()->there.resize(size);
  }
  const std::shared_ptr<Round> round = rounds_[number - met];
  round->calls[rank] = call;
  round->there[rank] = true;
  const auto absent = std::find(round->there.begin(), round->there.end(), false);
  const auto peer = static_cast<uint32_t>(absent - round->there.begin());
  turn.waits.push_back({&met_, number + 1, absent == round->there.end() ? rank : peer, round});
  if (++round->arrived < size) return;
  // Each rank has come to the rounds before it, so this is the first one.
  try {
    carry_out(round->calls, kernels_of(group));
  } catch (const plugin::Failure& failure) {
    round->code = failure.code();
    round->cause = failure.cause();
  }
  rounds_.pop_front();
  group.signal(&met_, number + 1);
}

void Meeting::lay_message(const plugin::Group& group, Pair pair, std::shared_ptr<Message> message,
                          Turn& turn) {
  const uint32_t peer = message->sends ? pair.second : pair.first;
  turn.waits.push_back({&message->done, 1, peer, message});
  std::deque<std::shared_ptr<Message>>& waiting = waiting_[pair];
  if (waiting.empty() || waiting.front()->sends == message->sends) {
    waiting.push_back(std::move(message));
    return;
  }
  const std::shared_ptr<Message> other = waiting.front();
  waiting.pop_front();
  const Message& sent = message->sends ? *message : *other;
  const Message& taken = message->sends ? *other : *message;
  muster_code code = MUSTER_OK;
  std::string cause;
  if (sent.bytes != taken.bytes) {
    code = MUSTER_MISMATCH;
    cause = "rank " + std::to_string(sent.rank) + " sends " + std::to_string(sent.bytes) +
            " bytes to rank " + std::to_string(taken.rank) + ", which takes " +
            std::to_string(taken.bytes);
  } else if (sent.bytes != 0) {
    std::memmove(taken.to, sent.from, sent.bytes);
  }
  for (const std::shared_ptr<Message>& side : {message, other}) {
    side->code = code;
    side->cause = cause;
    group.signal(&side->done, 1);
  }
}

void Meeting::check(const Settled& settled) const {
  const std::lock_guard lock(mutex_);
  if (settled.code != MUSTER_OK) plugin::fail(settled.code, settled.cause);
}

std::string Meeting::missing() const {
  const std::lock_guard lock(mutex_);
  std::string ranks;
  for (uint32_t rank = 0; !rounds_.empty() && rank < calls_of_.size(); ++rank) {
    if (!rounds_.front()->there[rank]) ranks += " " + std::to_string(rank);
  }
  return ranks;
}

void Meeting::wait_for(const plugin::Group& group, const Turn& turn) {
  for (const Turn::Wait& wait : turn.waits) {
    try {
      group.wait(const_cast<muster_wait_word*>(wait.word), wait.at_least, wait.peer);
    } catch (const plugin::HostFailure& failure) {
      const muster_host& host = *group.host().get();
      std::string cause = host.status_cause(failure.status);
      const muster_code code = host.status_code(failure.status);
      host.status_release(failure.status);
      if (const std::string ranks = missing(); !ranks.empty()) {
        cause += "; these ranks have not come to the collective:" + ranks;
      }
      end(group, "gave up a call");
      plugin::fail(code, cause);
    }
    check(*wait.settled);
  }
}

bool Meeting::is_done(const Turn& turn) {
  for (const Turn::Wait& wait : turn.waits) {
    if (load(*wait.word) < wait.at_least) return false;
  }
  for (const Turn::Wait& wait : turn.waits) check(*wait.settled);
  return true;
}

void Meeting::end(const plugin::Group& group, const std::string& why) {
  const std::lock_guard lock(mutex_);
  const uint32_t rank = group.rank();
  if (gone_.count(rank) != 0) return;
  const std::string cause =
      "rank " + std::to_string(rank) + " of group " + group.info().name + " " + why;
  gone_[rank] = cause;
  for (const std::shared_ptr<Round>& round : rounds_) {
    round->code = MUSTER_ABORTED;
    round->cause = cause;
  }
  rounds_.clear();
  group.signal(&met_, UINT64_MAX);
  for (auto& [pair, messages] : waiting_) {
    if (pair.first != rank && pair.second != rank) continue;
    for (const std::shared_ptr<Message>& message : messages) {
      message->code = MUSTER_ABORTED;
      message->cause = cause;
      group.signal(&message->done, 1);
    }
    messages.clear();
  }
}

}  // namespace muster::testing::detail

#include "tests/kit/fault/group.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <type_traits>

namespace muster::fault {
namespace {

// Where a plugin must not keep its rank: shared by all ranks that are threads of this process.
std::atomic<uint32_t> rank_of_process{0};

// Calls that are being carried out in this process, of all groups.
std::atomic<int> calls_inside{0};
struct Inside {
  Inside() : count(++calls_inside) {}
  ~Inside() { --calls_inside; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  const int count;
};

uint64_t bytes_of(const muster_call& call) { return MUSTER_DTYPE_BYTES(call.dtype); }

}  // namespace

FaultGroup::FaultGroup(plugin::Group group)
    : group_(group),
      rank_(group.rank()),
      size_(group.size()),
      behaviour_(group.option("fault"), std::stoll(group.option("fault_rank")),
                 group.integer_option("fault_after")) {
  behaviour_.act("prepare", rank_);
  if (behaviour_.is("gather in prepare", rank_)) gather();
  rank_of_process = rank_;
}

// Waits for every rank's end in a loop of its own.
void FaultGroup::meet_at_the_end() {
  ++epoch_;
  group_.signal(&segments_.of(rank_).filled, epoch_);
  for (uint32_t r = 0; r < size_; ++r) {
    while (__atomic_load_n(&segments_.of(r).filled.value, __ATOMIC_ACQUIRE) < epoch_) {
      std::this_thread::yield();
    }
  }
}

void FaultGroup::gather() {
  const muster_host* const host = group_.host().get();
  const uint64_t own = rank_;
  std::vector<uint64_t> all(size_);
  host->status_release(host->all_gather(group_.get(), &own, sizeof(own), all.data()));
}

FaultGroup::~FaultGroup() {
  if (connected_ && behaviour_.is("meet in destroy", rank_)) meet_at_the_end();
  if (!connected_ && behaviour_.is("crash when half made", rank_)) std::abort();
  try {
    behaviour_.act("destroy", rank_);
    if (connected_ && behaviour_.is("wait in destroy", rank_)) {
      group_.wait(&segments_.of((rank_ + 1) % size_).filled, epoch_ + 1, (rank_ + 1) % size_);
    }
  } catch (const plugin::HostFailure& failure) {
    group_.host().get()->status_release(failure.status);
  } catch (const plugin::Failure&) {
    // group_destroy has no way to fail.
  }
}

void FaultGroup::connect() {
  behaviour_.act("connect", rank_);
  segments_.join(group_);
  connected_ = true;
}

void FaultGroup::wait(muster_wait_word& word, uint64_t at_least, uint32_t peer) {
  if (behaviour_.is("own wait", rank_)) {
    while (__atomic_load_n(&word.value, __ATOMIC_ACQUIRE) < at_least) {
    }
    return;
  }
  group_.wait(&word, at_least, peer);
}

bool FaultGroup::arrived(muster_wait_word Segment::*word, uint64_t at_least, bool may_wait) {
  for (uint32_t r = 0; r < size_; ++r) {
    muster_wait_word& of_rank = segments_.of(r).*word;
    if (may_wait) {
      wait(of_rank, at_least, r);
    } else if (__atomic_load_n(&of_rank.value, __ATOMIC_ACQUIRE) < at_least) {
      if (group_.host().get()->peer_alive(group_.get(), r) == 0) {
        plugin::fail(MUSTER_PEER_LOST, "rank " + std::to_string(r) + " is gone");
      }
      return false;
    }
  }
  return true;
}

bool FaultGroup::advance(Transfer& transfer, bool may_wait) {
  Segment& own = segments_.of(rank_);
  const uint64_t total = transfer.call.count * bytes_of(transfer.call);
  do {
    if (!transfer.given) {
      if (!arrived(&Segment::drained, epoch_, may_wait)) return false;
      give_chunk(transfer);
      group_.signal(&own.filled, ++epoch_);
      transfer.given = true;
    }
    if (!arrived(&Segment::filled, epoch_, may_wait)) return false;
    take_chunk(transfer);
    group_.signal(&own.drained, epoch_);
    transfer.given = false;
    transfer.at += std::min(total - transfer.at, Segment::kChunk);
  } while (transfer.at < total);
  transfer.done = true;
  return true;
}

void FaultGroup::give_chunk(const Transfer& transfer) {
  const muster_call& call = transfer.call;
  const auto* const in = static_cast<const std::byte*>(call.send);
  const uint64_t bytes =
      std::min(call.count * bytes_of(call) - transfer.at, uint64_t{Segment::kChunk});
  const uint32_t rank = behaviour_.is("global rank", rank_) ? rank_of_process.load() : rank_;
  const bool sends = call.op != MUSTER_BROADCAST || rank == call.root;
  if (sends && bytes != 0 && in != nullptr) {
    std::memcpy(segments_.of(rank_).data, in + transfer.at, bytes);
  }
}

void FaultGroup::take_chunk(const Transfer& transfer) {
  const muster_call& call = transfer.call;
  if (call.op == MUSTER_BARRIER) return;
  if (call.op == MUSTER_ALL_REDUCE) {
    return call.dtype == MUSTER_F32 ? sum_chunk<float>(transfer) : sum_chunk<int32_t>(transfer);
  }
  const uint64_t total = call.count * bytes_of(call);
  const uint64_t bytes = std::min(total - transfer.at, Segment::kChunk);
  auto* const out = static_cast<std::byte*>(call.recv);
  if (bytes == 0) return;
  if (call.op == MUSTER_BROADCAST) {
    std::memcpy(out + transfer.at, segments_.of(call.root).data, bytes);
    return;
  }
  for (uint32_t r = 0; r < size_; ++r) {
    std::memcpy(out + r * total + transfer.at, segments_.of(r).data, bytes);
  }
}

template <typename T>
void FaultGroup::sum_chunk(const Transfer& transfer) {
  using Sum = std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>, std::common_type<T>>;
  using Number = typename Sum::type;
  const muster_call& call = transfer.call;
  auto* const out = static_cast<T*>(call.recv);
  const T factor = call.scalar == nullptr ? T{1} : *static_cast<const T*>(call.scalar);
  const uint64_t at = transfer.at / sizeof(T);
  const uint64_t count = std::min(call.count - at, uint64_t{Segment::kChunk / sizeof(T)});
  for (uint64_t i = 0; i < count; ++i) {
    // The order of additions, which a class of determinism is about.
    uint64_t first = 0;
    if (behaviour_.is("own order", rank_)) first = rank_;
    if (behaviour_.is("order by position", rank_)) first = at + i;
    if (behaviour_.is("order by call", rank_)) first = calls_;
    Number result{0};
    for (uint32_t r = 0; r < size_; ++r) {
      const uint32_t source = static_cast<uint32_t>((first + r) % size_);
      T value;
      std::memcpy(&value, segments_.of(source).data + i * sizeof(T), sizeof(T));
      result =
          static_cast<Number>(result + static_cast<Number>(value) * static_cast<Number>(factor));
    }
    out[at + i] = static_cast<T>(result);
  }
}

// Spoils a result that is right.
void FaultGroup::spoil(const muster_call& call) {
  const uint64_t results = call.op == MUSTER_ALL_GATHER ? call.count * size_ : call.count;
  if (results == 0 || call.recv == nullptr) return;
  auto* const out = static_cast<unsigned char*>(call.recv);
  const uint64_t element = bytes_of(call);
  if (behaviour_.is("wrong element", rank_, calls_)) out[results / 2 * element] ^= 0x40;
  if (behaviour_.is("wrong in registered memory", rank_, calls_) && registered(out)) out[0] ^= 0x40;
  if (behaviour_.is("write past", rank_, calls_)) out[results * element] ^= 0xff;
}

// Calls the runtime where, or from where, it may not.
void FaultGroup::breach() {
  if (behaviour_.is("gather in execute", rank_)) gather();
  if (behaviour_.is("own thread", rank_)) {
    std::thread([this] { static_cast<void>(group_.deadline_ns()); }).join();
  }
}

// What fails before anything is done.
void FaultGroup::refuse(const muster_call& call) const {
  if (behaviour_.is("fail at the limit", rank_) && call.op == MUSTER_ALL_REDUCE &&
      call.selection_bytes >= 4096) {
    plugin::fail(MUSTER_UNAVAILABLE, "too large after all");
  }
  if (behaviour_.is("fail in capture", rank_) && phase_ == MUSTER_GRAPH_CAPTURE) {
    plugin::fail(MUSTER_UNAVAILABLE, "not while a graph is captured");
  }
  if (phase_ == MUSTER_GRAPH_CAPTURE && call.phase == MUSTER_EAGER) {
    plugin::fail(MUSTER_FAILED_PRECONDITION, "the capture has not ended here");
  }
}

void FaultGroup::finish(const muster_call& call) {
  spoil(call);
  ++calls_;
}

void FaultGroup::execute(const muster_call& call) {
  const Inside inside;
  behaviour_.act("execute", rank_, calls_);
  if (behaviour_.is("one at a time", rank_) && inside.count > 1) {
    plugin::fail(MUSTER_RESOURCE_EXHAUSTED, "another group of this process is in a call");
  }
  refuse(call);
  breach();
  Transfer transfer(call);
  advance(transfer, true);
  finish(call);
}

muster_request* FaultGroup::start(const muster_call& call) {
  behaviour_.act("start", rank_, calls_);
  refuse(call);
  begun_.push_back(std::make_unique<Transfer>(call));
  Transfer* const transfer = begun_.back().get();
  if (behaviour_.is("wait in start", rank_)) {
    wait(segments_.of((rank_ + 1) % size_).filled, epoch_ + 1, (rank_ + 1) % size_);
  }
  return reinterpret_cast<muster_request*>(transfer);
}

bool FaultGroup::test(muster_request* request) {
  auto* const asked = reinterpret_cast<Transfer*>(request);
  try {
    behaviour_.act("test", rank_, calls_);
    if (behaviour_.is("never done", rank_, calls_)) return false;
    go_on();
  } catch (...) {
    forget(asked);
    throw;
  }
  if (!asked->done) return false;
  forget(asked);
  return true;
}

// Everything that has begun, as far as the others have come.
void FaultGroup::go_on() {
  const bool last_first = behaviour_.is("last first", rank_);
  for (size_t i = 0; i < begun_.size(); ++i) {
    Transfer& transfer = *begun_[last_first ? begun_.size() - 1 - i : i];
    if (transfer.done) continue;
    if (!advance(transfer, false)) return;
    finish(transfer.call);
  }
}

void FaultGroup::forget(const Transfer* asked) {
  const auto found = std::find_if(begun_.begin(), begun_.end(),
                                  [&](const auto& transfer) { return transfer.get() == asked; });
  if (behaviour_.is("keep the request", rank_)) static_cast<void>(found->release());
  begun_.erase(found);
}

void* FaultGroup::memory_register(void* pointer, uint64_t bytes, muster_memory memory) {
  if (memory != MUSTER_HOST && !behaviour_.is("any memory", rank_)) {
    plugin::fail(MUSTER_UNAVAILABLE, "it knows host memory only");
  }
  behaviour_.act("register", rank_);
  registered_.emplace_back(static_cast<const std::byte*>(pointer), bytes);
  return pointer;
}

void FaultGroup::memory_deregister(void* registration) noexcept {
  const auto known = std::find_if(registered_.begin(), registered_.end(),
                                  [&](const auto& memory) { return memory.first == registration; });
  if (known != registered_.end()) registered_.erase(known);
}

bool FaultGroup::registered(const void* pointer) const {
  const auto* const at = static_cast<const std::byte*>(pointer);
  return std::any_of(registered_.begin(), registered_.end(), [&](const auto& memory) {
    return at >= memory.first && at < memory.first + memory.second;
  });
}

void FaultGroup::capture_begin(muster_phase phase) { phase_ = phase; }

void FaultGroup::capture_end(bool ok) {
  if (behaviour_.is("stay in capture", rank_) && !ok) return;
  phase_ = MUSTER_EAGER;
}

}  // namespace muster::fault

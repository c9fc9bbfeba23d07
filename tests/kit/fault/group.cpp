#include "tests/kit/fault/group.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
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

// One chunk of every rank: read is called with each rank and its data.
template <typename Read>
void FaultGroup::step(const void* data, uint64_t bytes, Read&& read) {
  Segment& own = segments_.of(rank_);
  for (uint32_t r = 0; r < size_; ++r) wait(segments_.of(r).drained, epoch_, r);
  ++epoch_;
  if (bytes != 0) std::memcpy(own.data, data, bytes);
  group_.signal(&own.filled, epoch_);
  for (uint32_t r = 0; r < size_; ++r) wait(segments_.of(r).filled, epoch_, r);
  read();
  group_.signal(&own.drained, epoch_);
}

void FaultGroup::copy_chunks(const muster_call& call) {
  const uint64_t total = call.count * bytes_of(call);
  const bool gathers = call.op == MUSTER_ALL_GATHER;
  const uint32_t rank = behaviour_.is("global rank", rank_) ? rank_of_process.load() : rank_;
  const auto* const in = static_cast<const std::byte*>(call.send);
  auto* const out = static_cast<std::byte*>(call.recv);
  uint64_t at = 0;
  do {
    const uint64_t bytes = std::min(total - at, Segment::kChunk);
    const bool sends = gathers || (rank == call.root && in != nullptr);
    step(sends ? in + at : nullptr, sends ? bytes : 0, [&] {
      for (uint32_t r = 0; r < size_ && bytes != 0; ++r) {
        if (gathers) std::memcpy(out + r * total + at, segments_.of(r).data, bytes);
        if (!gathers && r == call.root) std::memcpy(out + at, segments_.of(r).data, bytes);
      }
    });
    at += bytes;
  } while (at < total);
}

template <typename T>
void FaultGroup::sum(const muster_call& call) {
  using Sum = std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>, std::common_type<T>>;
  using Number = typename Sum::type;
  constexpr uint64_t kElements = Segment::kChunk / sizeof(T);
  const auto* const in = static_cast<const T*>(call.send);
  auto* const out = static_cast<T*>(call.recv);
  const T factor = call.scalar == nullptr ? T{1} : *static_cast<const T*>(call.scalar);
  uint64_t at = 0;
  do {
    const uint64_t count = std::min(call.count - at, kElements);
    step(in + at, count * sizeof(T), [&] {
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
          result = static_cast<Number>(result +
                                       static_cast<Number>(value) * static_cast<Number>(factor));
        }
        out[at + i] = static_cast<T>(result);
      }
    });
    at += count;
  } while (at < call.count);
}

void FaultGroup::move(const muster_call& call) {
  switch (call.op) {
    case MUSTER_BARRIER:
      return step(nullptr, 0, [] {});
    case MUSTER_ALL_REDUCE:
      return call.dtype == MUSTER_F32 ? sum<float>(call) : sum<int32_t>(call);
    default:
      return copy_chunks(call);
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

void FaultGroup::execute(const muster_call& call) {
  const Inside inside;
  behaviour_.act("execute", rank_, calls_);
  if (behaviour_.is("one at a time", rank_) && inside.count > 1) {
    plugin::fail(MUSTER_RESOURCE_EXHAUSTED, "another group of this process is in a call");
  }
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
  breach();
  move(call);
  spoil(call);
  ++calls_;
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

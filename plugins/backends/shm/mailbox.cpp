#include "plugins/backends/shm/mailbox.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <cstring>
#include <string>

namespace muster::shm {
namespace {

uint32_t* futex_of(muster_wait_word& word) {
  uint32_t* const halves = reinterpret_cast<uint32_t*>(&word.value);
  return halves + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 1 : 0);
}

// A message of so many chunks is shown in turns with taking what has come: what waits longer is no
// longer in the caches by then. Of smaller ones, which fit them, all boxes are filled at once.
constexpr uint64_t kInTurns = 64;

// From so many bytes on two ranks change the places of their chunks.
constexpr uint64_t kLarge = kPage;

constexpr uint32_t bit_of(uint64_t chunk) { return 1u << chunk % kBoxes; }
void set(uint32_t* bits, uint32_t bit, bool value) { *bits = value ? *bits | bit : *bits & ~bit; }

// The stores before it are seen by all before the loads behind it are made.
void full_fence() {
#if defined(__SANITIZE_THREAD__)  // does not know fences; its processors order so what is atomic
  static std::atomic<uint32_t> any{0};
  any.exchange(0, std::memory_order_seq_cst);
#else
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

// How far a receive may come: behind the send whose data it overwrites.
uint64_t limit_of(const Transfer& transfer, const std::vector<Transfer>& transfers) {
  if (transfer.behind < 0) return UINT64_MAX;
  const Transfer& sent = transfers[static_cast<size_t>(transfer.behind)];
  return sent.over ? UINT64_MAX : sent.moved;
}

}  // namespace

Mailbox::Mailbox(plugin::Group group, uint64_t epoch_start)
    : group_(group),
      positions_(size_t{kChannels} * group.size(),
                 Position{epoch_start, epoch_start, epoch_start, 0, 0, 0}),
      held_(size_t{2} * group.size()) {
  owed_.reserve(size_t{2} * group.size());
}

void Mailbox::attach(const std::vector<SegmentView>* segments, const CopyTable* copies,
                     Distance* distance, uint64_t box_bytes, uint32_t spins) {
  segments_ = segments;
  copies_ = copies;
  distance_ = distance;
  box_bytes_ = box_bytes;
  spins_ = Spins(spins);
}

// Why no ring is missed: the listener says so and then looks at the boxes, the mover fills boxes
// (or counts them consumed) and then looks who listens, with a fence between, so at least one sees
// the other. One fence serves all that was moved.
void Mailbox::ring_listening() {
  full_fence();
  for (const uint32_t peer : owed_) {
    ControlBlock& control = (*segments_)[peer].control();
    if (__atomic_load_n(&control.listening, __ATOMIC_SEQ_CST) == 0) continue;
    muster_wait_word& bell = control.bell.word;
    __atomic_fetch_add(&bell.value, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&bell.waiters, __ATOMIC_SEQ_CST) != 0) {
      syscall(SYS_futex, futex_of(bell), FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
    }
  }
  owed_.clear();
}

uint64_t Mailbox::chunk(const Transfer& transfer) const {
  return std::min(box_bytes_, transfer.bytes - transfer.moved);
}

void Mailbox::change_places(Channel channel, uint32_t peer) {
  Position& at = position(channel, peer);
  const uint64_t number = at.written;
  const uint32_t bit = bit_of(number);
  const uint64_t word = __atomic_load_n(
      &(*segments_)[peer].box(channel, group_.rank(), number).filled, __ATOMIC_ACQUIRE);
  const uint64_t filled = word & ~kAway;
  const bool theirs_here = (word & kAway) != 0;
  const bool taken = filled + kBoxes == number + 1 && at.consumed + kBoxes > number;
  if (filled > number) {
    set(&at.away, bit, theirs_here);
  } else if (taken && (at.large_here & bit) != 0) {
    set(&at.away, bit, !theirs_here);
  }
}

bool Mailbox::push(Channel channel, Transfer& transfer, std::vector<Transfer>& transfers) {
  const uint32_t peer = transfer.peer;
  Position& at = position(channel, peer);
  if (at.written - at.known >= kBoxes) {
    at.known = __atomic_load_n(&consumed_by(channel, peer), __ATOMIC_SEQ_CST);
    if (at.written - at.known >= kBoxes) return false;
  }
  BoxHeader& box = own().box(channel, peer, at.written);
  const uint32_t bit = bit_of(at.written);
  if ((at.large_there & bit) != 0) change_places(channel, peer);
  const bool away = (at.away & bit) != 0;
  Transfer* meanwhile = nullptr;
  const uint64_t length = chunk(transfer);
  const std::byte* const from = transfer.data + transfer.moved;
  if (length <= kHeaderBytes) {
    copy_bytes(box.data, from, length);
  } else {
    if (distance_->due(length)) {
      at.known = distance_->look(peer, consumed_by(channel, peer), at.known);
    }
    BoxHeader& place = away ? (*segments_)[peer].box(channel, group_.rank(), at.written) : box;
    const Copy shown{SegmentView::payload(place), from, length};
    if (distance_->far() && copies_->exchanges(length)) {
      meanwhile = show_far(channel, shown, peer, transfers);
    } else {
      copies_->shown(shown.to, shown.from, shown.bytes,
                     copies_->shown_around(shown.bytes, distance_->far()));
    }
  }
  transfer.moved += length;
  transfer.over = transfer.moved == transfer.bytes;
  box.message_bytes = transfer.bytes;
  set(&at.large_there, bit, length >= kLarge);
  __atomic_store_n(&box.filled, ++at.written | (away ? kAway : 0), __ATOMIC_RELEASE);
  owe_ring(peer);
  if (meanwhile != nullptr) count_taken(channel, *meanwhile, chunk(*meanwhile));
  return true;
}

Transfer* Mailbox::show_far(Channel channel, const Copy& shown, uint32_t peer,
                            std::vector<Transfer>& transfers) {
  for (Transfer& coming : transfers) {
    if (coming.over || coming.peer != peer || coming.direction != Transfer::Direction::kReceive) {
      continue;
    }
    if (!copies_->exchanges(coming.bytes)) break;
    BoxHeader* const box = filled(channel, coming, limit_of(coming, transfers));
    if (box == nullptr) break;
    const uint64_t length = chunk(coming);
    const std::byte* const taken = content(channel, peer, *box, length);
    copies_->exchanged(shown, {coming.data + coming.moved, taken, length}, {});
    return &coming;
  }
  copies_->shown(shown.to, shown.from, shown.bytes, true);
  return nullptr;
}

// What fits in it is in the header.
const std::byte* Mailbox::content(Channel channel, uint32_t peer, BoxHeader& box,
                                  uint64_t length) const {
  if (length <= kHeaderBytes) return box.data;
  const bool here = (__atomic_load_n(&box.filled, __ATOMIC_RELAXED) & kAway) != 0;
  const uint64_t number = position(channel, peer).consumed;
  return SegmentView::payload(here ? own().box(channel, peer, number) : box);
}

BoxHeader* Mailbox::filled(Channel channel, const Transfer& transfer, uint64_t limit) const {
  const uint32_t peer = transfer.peer;
  const Position& at = position(channel, peer);
  const uint64_t consumed = at.consumed;
  BoxHeader& box = (*segments_)[peer].box(channel, group_.rank(), consumed);
  // Asked for with every look, little comes along with the header, not after it. It most likely
  // lies where this rank's last chunk does not.
  if (transfer.bytes <= kPage) {
    const bool here = (at.away & bit_of(consumed)) != 0;
    __builtin_prefetch(SegmentView::payload(here ? own().box(channel, peer, consumed) : box));
  }
  if ((__atomic_load_n(&box.filled, __ATOMIC_SEQ_CST) & ~kAway) != consumed + 1) return nullptr;
  if (box.message_bytes != transfer.bytes) {
    plugin::fail(MUSTER_MISMATCH,
                 "rank " + std::to_string(peer) + " sends " + std::to_string(box.message_bytes) +
                     " bytes where rank " + std::to_string(group_.rank()) + " receives " +
                     std::to_string(transfer.bytes),
                 "give both sides the same count and dtype, and the same order of messages");
  }
  return transfer.moved + chunk(transfer) > limit ? nullptr : &box;
}

void Mailbox::count_taken(Channel channel, Transfer& transfer, uint64_t length) {
  transfer.moved += length;
  transfer.over = transfer.moved == transfer.bytes;
  const uint32_t peer = transfer.peer;
  Position& at = position(channel, peer);
  set(&at.large_here, bit_of(at.consumed), length >= kLarge);
  __atomic_store_n(&own().counters(channel, peer).consumed, ++at.consumed, __ATOMIC_RELEASE);
  owe_ring(peer);
}

bool Mailbox::pull(Channel channel, Transfer& transfer, uint64_t limit) {
  BoxHeader* const box = filled(channel, transfer, limit);
  if (box == nullptr) return false;
  const uint64_t length = chunk(transfer);
  const std::byte* const from = content(channel, transfer.peer, *box, length);
  std::byte* const to = transfer.data + transfer.moved;
  // Where both send about as much, this rank writes there next.
  const Position& at = position(channel, transfer.peer);
  if (length >= kLarge && !distance_->far() && at.written - at.consumed + kBoxes <= 2 * kBoxes) {
    copies_->taken_over(to, from, length, transfer.bytes);
  } else {
    copies_->taken(to, from, length, transfer.bytes, distance_->far());
  }
  count_taken(channel, transfer, length);
  return true;
}

bool Mailbox::advance(Channel channel, std::vector<Transfer>& transfers) {
  bool moved = false;
  std::fill(held_.begin(), held_.end(), uint8_t{0});
  for (Transfer& transfer : transfers) {
    if (transfer.over) continue;
    const bool sends = transfer.direction == Transfer::Direction::kSend;
    uint8_t& held = held_[size_t{2} * transfer.peer + (sends ? 0 : 1)];
    if (held != 0) continue;
    for (bool again = true; again && !transfer.over;) {
      again = sends ? push(channel, transfer, transfers)
                    : pull(channel, transfer, limit_of(transfer, transfers));
      moved = moved || again;
      if (sends && transfer.bytes >= kInTurns * box_bytes_) break;
    }
    if (!transfer.over) held = 1;
  }
  return moved;
}

void Mailbox::sleep(const std::vector<Transfer>& transfers, uint64_t heard) {
  uint32_t awaited = group_.size();
  bool several = false;
  for (const Transfer& transfer : transfers) {
    if (transfer.over) continue;
    several = several || (awaited != group_.size() && awaited != transfer.peer);
    if (awaited == group_.size()) awaited = transfer.peer;
  }
  if (several) {  // the wait watches one peer only: let it be a lost one if there is one
    for (const Transfer& transfer : transfers) {
      if (!transfer.over && !group_.peer_alive(transfer.peer)) awaited = transfer.peer;
    }
  }
  group_.wait(&own().control().bell.word, heard + 1, awaited);
}

// The k-th message that a rank sends to itself is the k-th that it receives from itself.
void Mailbox::match_with_self(std::vector<Transfer>& transfers) const {
  size_t next = 0;
  for (Transfer& sent : transfers) {
    if (sent.peer != group_.rank() || sent.direction != Transfer::Direction::kSend) continue;
    while (next < transfers.size() &&
           (transfers[next].peer != group_.rank() ||
            transfers[next].direction != Transfer::Direction::kReceive)) {
      ++next;
    }
    if (next == transfers.size() || transfers[next].bytes != sent.bytes) {
      plugin::fail(MUSTER_MISMATCH,
                   "rank " + std::to_string(group_.rank()) + " sends itself " +
                       std::to_string(sent.bytes) + " bytes and receives " +
                       (next == transfers.size() ? "none" : std::to_string(transfers[next].bytes)),
                   "put a send to oneself and its receive into one send_recv or batch");
    }
    if (transfers[next].data != sent.data) copy_bytes(transfers[next].data, sent.data, sent.bytes);
    sent.over = transfers[next].over = true;
    ++next;
  }
  for (const Transfer& transfer : transfers) {
    if (transfer.peer == group_.rank() && !transfer.over) {
      plugin::fail(MUSTER_MISMATCH,
                   "rank " + std::to_string(group_.rank()) +
                       " receives a message from itself that it does not send",
                   "put a send to oneself and its receive into one send_recv or batch");
    }
  }
}

void Mailbox::run(Channel channel, std::vector<Transfer>& transfers) {
  match_with_self(transfers);
  const auto unfinished = [&] {
    return std::any_of(transfers.begin(), transfers.end(),
                       [](const Transfer& transfer) { return !transfer.over; });
  };
  uint32_t& listening = own().control().listening;
  while (unfinished()) {
    if (advance(channel, transfers)) continue;
    ring_owed();
    if (spins_.until([&] { return advance(channel, transfers); })) continue;
    __atomic_store_n(&listening, 1, __ATOMIC_SEQ_CST);
    // Read before the last look, so that whatever is moved after it ends the sleep.
    const uint64_t heard = __atomic_load_n(&own().control().bell.word.value, __ATOMIC_SEQ_CST);
    if (!advance(channel, transfers)) sleep(transfers, heard);
    __atomic_store_n(&listening, 0, __ATOMIC_RELAXED);
  }
  ring_owed();
}

}  // namespace muster::shm

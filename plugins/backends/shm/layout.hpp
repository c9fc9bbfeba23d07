// What lies where in a rank's shared segment. Equal on all ranks of a group, computed from the
// group's size and settings.
//
// A segment is written by its owner, except for the bell, which every peer rings, and for slots and
// boxes, whose places two ranks change among each other (stage.hpp, mailbox.hpp). Its parts:
//   header        what the segment is, checked by whoever maps it
//   cards         per slot: how far the owner is, where its operands lie, or a tiny operand itself
//   words         reduced, done: how far the owner is, asleep (stage.hpp); bell, listening
//                 (mailbox.hpp)
//   counters      per channel and peer: chunks consumed from that peer
//   slots         kSlots slots of slot_bytes: what the owner shows in a step of a collective
//   boxes         per channel and peer: kBoxes chunks on their way to that peer
// Pages are taken on first use only: a group that never sends point to point has no boxes in
// memory.
#ifndef MUSTER_PLUGINS_SHM_LAYOUT_HPP
#define MUSTER_PLUGINS_SHM_LAYOUT_HPP

#include <cstddef>
#include <cstdint>

#include "muster/host.h"

namespace muster::shm {

inline constexpr uint64_t kCacheLine = 64;
inline constexpr uint64_t kPage = 4096;
inline constexpr uint64_t kSlots = 4;
inline constexpr uint64_t kBoxes = 4;

// Traffic between two ranks that must not mix: a program's sends and receives, and those that the
// collectives of unknown size are made of.
enum class Channel : uint32_t { kProgram = 0, kCollective = 1 };
inline constexpr uint32_t kChannels = 2;

struct Header {
  uint64_t magic;
  uint64_t tag;  // of the group
  uint64_t segment_bytes;
  uint32_t rank;
  uint32_t size;
};
inline constexpr uint64_t kMagic = 0x34306d6873746d75;  // changes with the layout and its use

struct alignas(kCacheLine) Word {
  muster_wait_word word;
};

// One cache line: the word says which step the owner has published in this slot, the rest goes with
// it, so that whoever sees the word has the data as well.
inline constexpr uint64_t kCardBytes = kCacheLine - sizeof(muster_wait_word);
struct alignas(kCacheLine) Card {
  muster_wait_word word;
  std::byte data[kCardBytes];
};

// Of one channel between the owner and one peer; only the owner writes it.
struct alignas(kCacheLine) Counters {
  uint64_t consumed;  // chunks taken out of the peer's boxes for the owner
};

struct alignas(kCacheLine) ControlBlock {
  Header header;
  Card cards[kSlots];
  Word reduced;
  Word bell;
  alignas(kCacheLine) uint32_t listening;  // 1: the owner is about to sleep, or sleeps, on its bell
  alignas(kCacheLine) uint32_t asleep;     // 1: the same, on a card of another rank
  // Timed when it is read (distance.hpp): in a page of its own, so that no prefetch brings it along
  // with a neighbour.
  alignas(kPage) Word done;
};

// The first cache line of a box. What fits in it needs no other.
inline constexpr uint64_t kHeaderBytes = kCacheLine - 2 * sizeof(uint64_t);
inline constexpr uint64_t kAway = uint64_t{1} << 63;  // the chunk lies in the reader's segment
struct alignas(kCacheLine) BoxHeader {
  uint64_t filled;         // the number of the chunk in the box, counted from 1; and kAway
  uint64_t message_bytes;  // of the whole message that the chunk belongs to
  std::byte data[kHeaderBytes];
};

struct Layout {
  uint32_t size = 0;
  uint64_t slot_bytes = 0;
  uint64_t box_bytes = 0;  // payload of one chunk
  uint64_t counters_at = 0;
  uint64_t slots_at = 0;
  uint64_t boxes_at = 0;
  uint64_t total = 0;

  // A slot is never so small that a rank's share of it vanishes. Slots do not begin at multiples of
  // a page, or equal places in all of them, and in the buffers, would compete for the same lines
  // of the nearest cache.
  static constexpr Layout of(uint32_t size, uint64_t chunk_bytes, uint64_t box_bytes) {
    constexpr auto up = [](uint64_t value, uint64_t unit) {
      return (value + unit - 1) / unit * unit;
    };
    Layout layout;
    layout.size = size;
    const uint64_t least = uint64_t{size} * kCacheLine;
    layout.slot_bytes = up(chunk_bytes > least ? chunk_bytes : least, kPage);
    layout.box_bytes = up(box_bytes, kCacheLine);
    layout.counters_at = sizeof(ControlBlock);
    layout.slots_at = up(layout.counters_at + uint64_t{kChannels} * size * sizeof(Counters), kPage);
    layout.boxes_at = up(layout.slots_at + kSlots * layout.slot_stride(), kPage);
    layout.total = up(layout.boxes_at + kChannels * size * kBoxes * layout.box_stride(), kPage);
    return layout;
  }

  constexpr uint64_t slot_stride() const { return slot_bytes + 8 * kCacheLine; }
  constexpr uint64_t box_stride() const { return sizeof(BoxHeader) + box_bytes; }
};

// One mapped segment, seen through a layout.
class SegmentView {
 public:
  SegmentView() = default;
  SegmentView(std::byte* base, const Layout* layout) : base_(base), layout_(layout) {}
  ControlBlock& control() const { return *reinterpret_cast<ControlBlock*>(base_); }
  Card& card(uint64_t step) const { return control().cards[step % kSlots]; }
  Counters& counters(Channel channel, uint32_t peer) const {
    return reinterpret_cast<Counters*>(base_ + layout_->counters_at)[pair(channel, peer)];
  }
  std::byte* slot(uint64_t step) const {
    return base_ + layout_->slots_at + step % kSlots * layout_->slot_stride();
  }
  BoxHeader& box(Channel channel, uint32_t peer, uint64_t chunk) const {
    const uint64_t index = pair(channel, peer) * kBoxes + chunk % kBoxes;
    return *reinterpret_cast<BoxHeader*>(base_ + layout_->boxes_at + index * layout_->box_stride());
  }
  static std::byte* payload(BoxHeader& box) { return reinterpret_cast<std::byte*>(&box + 1); }

 private:
  uint64_t pair(Channel channel, uint32_t peer) const {
    return static_cast<uint64_t>(channel) * layout_->size + peer;
  }

  std::byte* base_ = nullptr;
  const Layout* layout_ = nullptr;
};

}  // namespace muster::shm

#endif

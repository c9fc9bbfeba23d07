// Messages between two ranks, in chunks through boxes: any number of them at once, in both
// directions, without deadlock.
//
// The sender owns the boxes and numbers what it puts into them; the receiver counts, in its own
// segment, what it has consumed; both only grow. A message is at least one chunk, also when it is
// empty, and each chunk says how long its message is, so that a send that meets a receive of
// another length is found. Messages between two ranks on one channel arrive in the order sent.
//
// A rank that can move nothing looks again for a while, then says that it listens and sleeps on its
// own bell; whoever moves a chunk rings the bell of a peer that listens: not at once, but before it
// waits itself or returns, for the look at who listens must wait until its stores are seen.
// Rationale of the bell: a rank with
// several transfers must wait for any of them; one bell per rank makes that one word. Many ring it,
// so it is counted up atomically here instead of stored by host.signal.
//
// Two ranks that send to each other change the places of their chunks, as they change slots
// (stage.hpp): who has taken chunk k out of a box puts its own chunk k + kBoxes there, whose lines
// its core has. For each box there are two places, one in each segment; the last chunk of one rank
// lies in one of them, that of the other in the other. They change where the chunks k of both were
// large; a rank that puts the chunk after that decides by what it sees, without asking:
//   the peer's chunk of that number, or a later one, is in the box: the place that is not its
//   the peer's chunk k is, and was taken:                           its place. The peer either
//                                   sees this chunk, or that its own was taken, and not this one
//   else (the peer sends less, or chunk k is still to be taken):    the place as before. The peer
//                                   sees this chunk before it sees that its own was taken
// So nothing may be counted as taken between deciding and telling. Whose own chunk k was small need
// not look: it keeps its place, and small messages cost nothing more.
//
// Thread rule: [group-serial]. Lifetime: the group's.
#ifndef MUSTER_PLUGINS_SHM_MAILBOX_HPP
#define MUSTER_PLUGINS_SHM_MAILBOX_HPP

#include <cstdint>
#include <vector>

#include "muster/plugin.hpp"
#include "plugins/backends/shm/copy.hpp"
#include "plugins/backends/shm/distance.hpp"
#include "plugins/backends/shm/layout.hpp"
#include "plugins/backends/shm/spins.hpp"

namespace muster::shm {

struct Transfer {
  enum class Direction : uint8_t { kSend, kReceive };
  static Transfer send(uint32_t peer, const void* data, uint64_t bytes) {
    return {Direction::kSend, false, peer, const_cast<std::byte*>(as_bytes(data)), bytes, 0, -1};
  }
  static Transfer receive(uint32_t peer, void* data, uint64_t bytes) {
    return {Direction::kReceive, false, peer, static_cast<std::byte*>(data), bytes, 0, -1};
  }
  static const std::byte* as_bytes(const void* data) { return static_cast<const std::byte*>(data); }

  Direction direction;
  bool over;
  uint32_t peer;
  std::byte* data;
  uint64_t bytes;
  uint64_t moved;
  // In place: the index of the send whose data this receive overwrites; it stays behind it. -1:
  // none.
  int64_t behind;
};

class Mailbox {
 public:
  Mailbox(plugin::Group group, uint64_t epoch_start);
  // spins: looks at all transfers, with a pause after each, before a rank sleeps.
  void attach(const std::vector<SegmentView>* segments, const CopyTable* copies, Distance* distance,
              uint64_t box_bytes, uint32_t spins);

  // Carries out all transfers; those of one direction and peer in their order.
  void run(Channel channel, std::vector<Transfer>& transfers);

 private:
  struct Position {
    uint64_t written;   // to the peer
    uint64_t consumed;  // from the peer
    uint64_t known;     // of what was written, consumed by the peer when last looked at
    // A bit for each box, of the last chunk in it:
    uint32_t away;         // to the peer, lay in the peer's segment
    uint32_t large_there;  // to the peer, was large
    uint32_t large_here;   // from the peer, was large
  };
  Position& position(Channel channel, uint32_t peer) {
    return positions_[static_cast<size_t>(channel) * group_.size() + peer];
  }
  const Position& position(Channel channel, uint32_t peer) const {
    return positions_[static_cast<size_t>(channel) * group_.size() + peer];
  }
  const SegmentView& own() const { return (*segments_)[group_.rank()]; }
  // Chunks that the peer has taken out of this rank's boxes.
  const uint64_t& consumed_by(Channel channel, uint32_t peer) const {
    return (*segments_)[peer].counters(channel, group_.rank()).consumed;
  }
  bool push(Channel channel, Transfer& transfer, std::vector<Transfer>& transfers);
  // Before a chunk that follows a large one: decides where it goes, which is to be told with it
  // before anything more is taken.
  void change_places(Channel channel, uint32_t peer);
  // Where the next chunk from a peer lies.
  const std::byte* content(Channel channel, uint32_t peer, BoxHeader& box, uint64_t length) const;
  bool pull(Channel channel, Transfer& transfer, uint64_t limit);
  // The next chunk for a receive, once it is in its box and ends at most at `limit`; else nullptr.
  BoxHeader* filled(Channel channel, const Transfer& transfer, uint64_t limit) const;
  // The chunk has been copied out of its box.
  void count_taken(Channel channel, Transfer& transfer, uint64_t length);
  uint64_t chunk(const Transfer& transfer) const;
  // Shows a chunk of a message to a far peer; where one from there is waiting, takes it meanwhile.
  // What it was taken for, to be counted; or nullptr.
  Transfer* show_far(Channel channel, const Copy& shown, uint32_t peer,
                     std::vector<Transfer>& transfers);
  // One look at every transfer; whether anything moved.
  bool advance(Channel channel, std::vector<Transfer>& transfers);
  void match_with_self(std::vector<Transfer>& transfers) const;
  // Sleeps until the bell has been rung since `heard`.
  void sleep(const std::vector<Transfer>& transfers, uint64_t heard);
  // Something that the peer may wait for was stored.
  void owe_ring(uint32_t peer) {
    if (owed_.empty() || owed_.back() != peer) owed_.push_back(peer);
  }
  void ring_owed() {
    if (!owed_.empty()) ring_listening();
  }
  void ring_listening();

  plugin::Group group_;
  const std::vector<SegmentView>* segments_ = nullptr;
  const CopyTable* copies_ = nullptr;
  Distance* distance_ = nullptr;
  uint64_t box_bytes_ = 0;
  Spins spins_;
  std::vector<Position> positions_;  // this rank's own view of its counters
  std::vector<uint8_t> held_;        // per direction and peer: an earlier transfer is not over
  std::vector<uint32_t> owed_;       // peers to ring if they listen
};

}  // namespace muster::shm

#endif

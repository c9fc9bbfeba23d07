// A step in which a rank shows another piece to each rank: where the pieces lie in a slot, and
// looking them up. For reduce_scatter, scatter and all_to_all.
#ifndef MUSTER_PLUGINS_SHM_PIECES_HPP
#define MUSTER_PLUGINS_SHM_PIECES_HPP

#include <algorithm>
#include <cstdint>

#include "plugins/backends/shm/collectives.hpp"

namespace muster::shm {

// Of packed blocks a card holds those of the other ranks, one behind the other.
inline bool fit_card(const Blocks& blocks) {
  return blocks.end() - blocks.smallest() <= kCardBytes;
}
inline void fill_card(Card& card, const void* send, const Blocks& blocks, uint32_t rank) {
  const uint64_t before = blocks[rank].offset;
  const uint64_t behind = before + blocks[rank].bytes;
  copy_bytes(card.data, send, before);
  copy_bytes(card.data + before, at(send, behind), blocks.end() - behind);
}
// The block of `rank` in the card of `sender`.
inline const std::byte* in_card(const Card& card, const Blocks& blocks, uint32_t sender,
                                uint32_t rank) {
  return card.data + blocks[rank].offset - (rank > sender ? blocks[sender].bytes : 0);
}

class Pieces {
 public:
  // Of blocks, one for each rank, equal on all of them; told: where this rank's lie.
  Pieces(State& state, const void* send, const Blocks& blocks, Operand told)
      : state_(state),
        stage_(state.stage),
        send_(send),
        blocks_(blocks),
        told_(told),
        extent_(blocks.end()),
        most_(stage_.slot_bytes() / others() / kCacheLine * kCacheLine) {}

  // Bytes of each block per step, at most.
  uint64_t most() const { return most_; }
  uint64_t steps() const { return (blocks_.largest() + most_ - 1) / most_; }

  // Shows every other rank its piece of step i.
  void show(uint64_t step, uint64_t i) const {
    Card& card = stage_.claim(step);
    if (told_.staged()) {
      for (uint32_t k = 1; k < stage_.size(); ++k) {
        const Copy shown = shown_to(stage_.peer(k), step, i);
        stage_.show(shown.to, shown.from, shown.bytes);
      }
    }
    tell(card);
    stage_.publish(step);
  }
  // Its parts: how the piece of another rank is shown, and what is told.
  Copy shown_to(uint32_t peer, uint64_t step, uint64_t i) const {
    const Piece piece = blocks_.piece(peer, i * most_, most_);
    return {stage_.slot(step) + in_slot(state_.rank(), peer), at(send_, piece.at), piece.bytes};
  }
  void tell(Card& card) const { state_.operands.write_told(card, told_, extent_); }
  // What another rank shows this one in step i.
  const std::byte* read(uint32_t peer, uint64_t step, uint64_t i) const {
    const uint32_t rank = state_.rank();
    const std::byte* const shown = stage_.slot(peer, step) + in_slot(peer, rank);
    const Card& card = stage_.read(peer, step, shown, blocks_.piece(rank, i * most_, most_).bytes);
    if (i == 0) {
      state_.peer_send[peer] = state_.operands.find_told(peer, card, extent_);
    }
    if (state_.peer_send[peer] != nullptr) {
      return state_.peer_send[peer] + blocks_[rank].offset + i * most_;
    }
    return shown;
  }

 private:
  uint64_t others() const { return std::max(stage_.size(), uint32_t{2}) - 1; }
  // Where in a slot of `sender` the piece of another rank lies: by how far behind the sender that
  // rank comes, so that two ranks have their pieces at one place and can change slots.
  uint64_t in_slot(uint32_t sender, uint32_t rank) const {
    return ((rank + stage_.size() - sender) % stage_.size() - 1) * most_;
  }

  State& state_;
  Stage& stage_;
  const void* send_;
  const Blocks& blocks_;
  Operand told_;
  uint64_t extent_;  // bytes of each rank's operand
  uint64_t most_;
};

}  // namespace muster::shm

#endif

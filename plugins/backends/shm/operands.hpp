// Where the operands of the ranks lie: in memory that the others can look into, or not; then they
// are shown in slots, chunk by chunk.
//
// Each rank tells where its own are, with the first step of an operation, and reads those of the
// others as they tell. So it never matters to the choice of an algorithm whose buffers are where.
#ifndef MUSTER_PLUGINS_SHM_OPERANDS_HPP
#define MUSTER_PLUGINS_SHM_OPERANDS_HPP

#include <cstdint>
#include <cstring>
#include <vector>

#include "muster/plugin.hpp"
#include "plugins/backends/shm/layout.hpp"
#include "plugins/backends/shm/regions.hpp"

namespace muster::shm {

// One operand, as a rank tells it.
struct Operand {
  enum Kind : uint32_t {
    kStaged = 0,   // in the slots
    kRegion = 1,   // in memory that all have mapped (regions.hpp)
    kAddress = 2,  // all ranks are threads of one process
  };
  Kind kind = kStaged;
  uint32_t region = 0;  // its id
  uint64_t at = 0;      // offset in the region, or address

  bool staged() const { return kind == kStaged; }
};

// What a card of a step says when it holds no data itself.
struct Operands {
  Operand send;
  Operand recv;
  uint32_t far = 0;  // whether the other ranks seem far to this one (distance.hpp)
};
static_assert(sizeof(Operands) <= kCardBytes);

inline void write_operands(Card& card, const Operands& operands) {
  std::memcpy(card.data, &operands, sizeof(operands));
}
inline Operands operands_of(const Card& card) {
  Operands operands;
  std::memcpy(&operands, card.data, sizeof(operands));
  return operands;
}

class OperandFinder {
 public:
  // direct_bytes: smaller operands are staged wherever they lie.
  OperandFinder(plugin::Group group, const Regions* regions, uint64_t direct_bytes)
      : regions_(regions), direct_bytes_(direct_bytes), one_process_(true) {
    for (uint32_t r = 1; r < group.size(); ++r) {
      one_process_ =
          one_process_ && group.info().places[r].process == group.info().places[0].process;
    }
  }

  // How this rank tells one of its own.
  Operand tell(const void* data, uint64_t bytes) const {
    if (bytes < direct_bytes_ || (!one_process_ && regions_->empty())) return {};
    if (one_process_) return {Operand::kAddress, 0, reinterpret_cast<uintptr_t>(data)};
    const Region* const region = regions_->find(data, bytes);
    if (region == nullptr) return {};
    return {Operand::kRegion, region->id, region->offset(data)};
  }

  // Tells with a step's card where an operand of `bytes` bytes lies, as find_told() reads it. Of
  // one that is staged wherever it lies nothing is told: that would take as long as moving it.
  void write_told(Card& card, const Operand& send, uint64_t bytes) const {
    if (bytes >= direct_bytes_) write_operands(card, {send, {}});
  }
  std::byte* find_told(uint32_t rank, const Card& card, uint64_t bytes) const {
    return bytes < direct_bytes_ ? nullptr : find(rank, operands_of(card).send, bytes);
  }

  // Where another rank's operand of `bytes` bytes is to be found here; nullptr: in its slots.
  std::byte* find(uint32_t rank, const Operand& told, uint64_t bytes) const {
    if (told.kind == Operand::kStaged) return nullptr;
    if (told.kind == Operand::kAddress) return reinterpret_cast<std::byte*>(told.at);
    const Region* const region = regions_->find(told.region);
    if (region == nullptr || told.at > region->bytes || bytes > region->bytes - told.at) {
      plugin::fail(MUSTER_INTERNAL,
                   "rank " + std::to_string(rank) + " told of memory that is not mapped here");
    }
    return region->peer(rank, told.at);
  }

 private:
  const Regions* regions_;
  uint64_t direct_bytes_;
  bool one_process_;
};

}  // namespace muster::shm

#endif

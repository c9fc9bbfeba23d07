// Memory of the program that every rank of the group has mapped: what kernels store into, or read
// from, where it is. A region's number is equal on all ranks; in each rank's heap stands where it
// has every rank's part (device/contract.h).
//
// add and remove are [collective], and the context is current in them and in the destructor; told
// and any are for the path of a call: [group-serial] [local] [no-block], no allocation. Lifetime:
// the group's. As the windows of MPI_Win_create.
#ifndef MUSTER_PLUGINS_CUDA_PEER_REGIONS_HPP
#define MUSTER_PLUGINS_CUDA_PEER_REGIONS_HPP

#include <cstdint>
#include <memory>
#include <vector>

#include "plugins/backends/cuda_peer/heap_words.hpp"
#include "plugins/backends/cuda_peer/sharing.hpp"

namespace muster::cuda_peer {

struct Region {
  uint32_t number = 0;
  Piece own;
  std::vector<std::unique_ptr<PeerMapping>> mappings;
};

class Regions {
 public:
  explicit Regions(const HeapWords& words) : words_(words) {}

  bool full() const { return regions_.size() == kRegions; }
  // Of a piece that was not refused; not when full. mappings: those that end with the region. Not
  // `known`: told does not find it, whoever adds it has its number.
  Region* add(Piece own, const SharedPiece& shared,
              std::vector<std::unique_ptr<PeerMapping>> mappings, bool known);
  void remove(const Region* region);

  // Whether there is memory that told may find.
  bool any() const { return !by_address_.empty(); }
  // What a rank tells of a buffer; kToldNothing when it lies in no region, or cannot be reached by
  // packets of 16 bytes.
  Word told(const void* buffer, uint64_t bytes) const {
    return by_address_.empty() ? kToldNothing : search(cu::device_pointer(buffer), bytes);
  }

 private:
  Word search(cu::DevicePointer begin, uint64_t bytes) const;

  const HeapWords& words_;
  std::vector<std::unique_ptr<Region>> regions_;  // by number
  std::vector<const Region*> by_address_;
};

}  // namespace muster::cuda_peer

#endif

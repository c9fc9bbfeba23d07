// Pieces of device memory that every rank of a group maps, each rank giving pieces of its own.
//
// How: the driver's allocation that holds a piece goes to the others as a file descriptor through
// the runtime's exchange; by cudaIpc where the driver gives none of it. Ranks that are threads of
// one process map each other's directly. What another rank has mapped stays until it unmaps it,
// whoever ends first (with cudaIpc: until the owner ends).
//
// [setup-thread] or [group-serial]; the context is current wherever a function or a destructor of
// this header runs. As ncclCommRegister with cuMem, MPI_Win_create.
#ifndef MUSTER_PLUGINS_CUDA_PEER_SHARING_HPP
#define MUSTER_PLUGINS_CUDA_PEER_SHARING_HPP

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "muster/plugin.hpp"
#include "plugins/backends/cuda_peer/driver.hpp"

namespace muster::cuda_peer {

struct Piece {
  cu::DevicePointer begin = 0;
  uint64_t bytes = 0;  // equal on all ranks
};

// Another rank's allocation as this one sees it, while it lives.
class PeerMapping {
 public:
  enum class Way { kDirect, kIpc, kMapped };
  PeerMapping(Way way, cu::DevicePointer begin, uint64_t bytes)
      : way_(way), begin_(begin), bytes_(bytes) {}
  ~PeerMapping();
  PeerMapping(const PeerMapping&) = delete;
  PeerMapping& operator=(const PeerMapping&) = delete;

  cu::DevicePointer begin() const { return begin_; }

 private:
  Way way_;
  cu::DevicePointer begin_;
  uint64_t bytes_;
};

// What has become of one piece, equal on all ranks but for the addresses.
struct SharedPiece {
  std::string refused;                // why it cannot be mapped, with the rank; "": it is
  std::vector<cu::DevicePointer> at;  // by rank: where this rank has it
};

struct SharedPieces {
  std::vector<SharedPiece> pieces;  // in the order given
  std::vector<std::unique_ptr<PeerMapping>> mappings;
};

// All ranks give as many pieces; the i-th of all belong together. A piece that one rank cannot
// share is refused on all. Throws only when an exchange fails. [collective]
SharedPieces share_pieces(const plugin::Group& group, cu::DeviceHandle device,
                          const std::vector<Piece>& pieces);

}  // namespace muster::cuda_peer

#endif

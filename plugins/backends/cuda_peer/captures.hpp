// Calls that are being captured, and whose buffers nobody had registered: when a capture has
// succeeded on all ranks their buffers are, and each replay tells of them. A capture that was
// aborted leaves nothing behind.
//
// Each such call has a word in the heap, which says nothing until then: a graph that is replayed
// sooner, or whose buffers could not be mapped, copies. What was registered stays until the group
// ends, for nobody says when a graph does; only these graphs use it, as the addresses may be given
// to other memory later.
//
// slot is for the path of a call: [group-serial] [local]; end is [collective], and the context is
// current in it and in the destructor. As vLLM's register_graph_buffers.
#ifndef MUSTER_PLUGINS_CUDA_PEER_CAPTURES_HPP
#define MUSTER_PLUGINS_CUDA_PEER_CAPTURES_HPP

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "plugins/backends/cuda_peer/regions.hpp"

namespace muster::cuda_peer {

class Captures {
 public:
  Captures(const plugin::Group& group, cu::DeviceHandle device, const HeapWords& words,
           Regions& regions)
      : group_(group), device_(device), words_(words), regions_(regions) {}

  void begin() { pending_.clear(); }
  // The word of one more call, on the device; nullptr when there are no more. The same calls on all
  // ranks.
  const Word* slot(const void* buffer, uint64_t bytes);
  // ok: on all ranks.
  void end(bool ok);

 private:
  void record(const std::string& verdict, const std::string& reason) const;
  // For each call the first one with the same buffers on all ranks. [collective]
  std::vector<uint32_t> first_alike(const std::vector<Piece>& calls) const;
  // What each of these pieces is told as. [collective]
  std::vector<Word> register_all(const std::vector<Piece>& distinct);

  const plugin::Group group_;
  cu::DeviceHandle device_;
  const HeapWords& words_;
  Regions& regions_;
  uint32_t used_ = 0;           // slots of captures that have succeeded
  std::vector<Piece> pending_;  // of this capture, in the order of the calls
  std::vector<std::unique_ptr<PeerMapping>> mappings_;
};

}  // namespace muster::cuda_peer

#endif

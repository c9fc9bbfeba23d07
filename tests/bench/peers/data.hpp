// The buffers of a measured call, their inputs, and what has to come out.
#ifndef MUSTER_TESTS_BENCH_PEERS_DATA_HPP
#define MUSTER_TESTS_BENCH_PEERS_DATA_HPP

#include "core/cli/page_memory.hpp"
#include "tests/bench/peers/peer.hpp"

namespace muster::peers {

class Data {
 public:
  // Sets the call's buffers.
  Data(PeerCall& call, uint32_t rank, uint32_t size);

  void fill();
  uint64_t count_wrong() const;

 private:
  PeerCall& call_;
  uint32_t rank_;
  uint32_t size_;
  uint64_t sent_ = 0;  // elements
  uint64_t received_ = 0;
  cli::PageMemory send_;
  cli::PageMemory recv_;
};

}  // namespace muster::peers

#endif

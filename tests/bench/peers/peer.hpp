// What the programs of the peers have in common: the same command line, checks, measured loop and
// CSV as `muster bench`. A program brings a Library.
//
// One process per rank, all on one node. Started by the peer's own launcher, or by `muster run`.
#ifndef MUSTER_TESTS_BENCH_PEERS_PEER_HPP
#define MUSTER_TESTS_BENCH_PEERS_PEER_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/bench/peers/dtype.hpp"

namespace muster::peers {

// As in MPI: root 0, the result of a reduce_scatter in place stands at the start of the buffer.
struct PeerCall {
  std::string op;
  Dtype dtype = Dtype::kF32;
  Redop redop = Redop::kSum;
  uint64_t count = 0;    // elements of a rank's part
  uint64_t element = 0;  // bytes
  void* send = nullptr;
  void* recv = nullptr;  // in place: the whole buffer; send is this rank's part of it
  bool in_place = false;
};

class Library {
 public:
  virtual ~Library() = default;
  virtual std::string name() const = 0;  // "Open MPI 4.1.4"
  virtual uint32_t rank() const = 0;
  virtual uint32_t size() const = 0;
  virtual void share(void* data, size_t bytes) = 0;  // of rank 0, to all
  virtual bool all(bool mine) = 0;
  // The call, ready to be made again and again; empty where the library has none like it. Throws
  // std::exception when a call fails.
  virtual std::function<void()> prepare(const PeerCall& call) = 0;
};

// 0: measured and right; 1: failed or wrong; 2: usage; 77: the library has no such operation.
int run_peer(int argc, char** argv, Library& library);

}  // namespace muster::peers

#endif

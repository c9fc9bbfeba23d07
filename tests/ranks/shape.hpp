// The shape of one rank's part of a case: buffers, counts and displacements, and which elements of
// which rank's input must be where in the result.
//
// A function of case, rank and size only, so that every rank knows the shapes of all. Independent
// of the runtime's sources on purpose.
#ifndef MUSTER_TESTS_RANKS_SHAPE_HPP
#define MUSTER_TESTS_RANKS_SHAPE_HPP

#include <cstdint>
#include <vector>

#include "tests/ranks/case.hpp"

namespace muster::ranks {

// recv[at + i] is element from + i of the input of rank `source`, or the reduction of element
// from + i of all ranks.
struct Piece {
  uint64_t at;
  uint64_t count;
  uint64_t from;
  uint32_t source;
  bool reduced;
};

struct Shape {
  // Elements of the buffers; 0 where the operation does not look.
  uint64_t send_extent = 0;
  uint64_t recv_extent = 0;
  // In place both lie in one buffer, where they begin at these elements.
  bool in_place = false;
  uint64_t send_at = 0;
  uint64_t recv_at = 0;
  std::vector<Piece> pieces;  // by `at`, without overlap

  uint64_t count = 0;
  uint64_t recv_count = 0;  // send_recv
  uint32_t peer = 0;
  uint32_t recv_peer = 0;
  uint64_t max_bytes = 0;
  bool takes_part = true;  // send and recv concern two ranks only
  muster_op op = MUSTER_OP_NONE;
  std::vector<uint64_t> send_counts, send_displs, recv_counts, recv_displs;
};

Shape shape_of(const Case& c, uint32_t rank, uint32_t size);

}  // namespace muster::ranks

#endif

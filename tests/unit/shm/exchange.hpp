// One operation of a whole group as data: what each rank passes, and what it must find afterwards.
#ifndef MUSTER_TESTS_UNIT_SHM_EXCHANGE_HPP
#define MUSTER_TESTS_UNIT_SHM_EXCHANGE_HPP

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "muster/call.h"

namespace muster::shm_test {

using Bytes = std::vector<unsigned char>;

struct Exchange {
  muster_op op = MUSTER_ALL_REDUCE;
  muster_dtype dtype = MUSTER_F32;
  muster_redop redop = MUSTER_REDOP_NONE;
  uint32_t size = 2;
  uint64_t count = 0;  // of v-operations: the most that a pair exchanges
  uint32_t root = 0;   // of send: the sender
  uint32_t peer = 1;   // of send: the receiver
  bool in_place = false;
  bool gaps = false;    // v-operations: displacements with gaps, in reverse order
  bool scaled = false;  // sum: with a scalar
  uint64_t seed = 1;

  std::string text() const;
  // v-operations: what rank `from` gives rank `to`.
  uint64_t pair_count(uint32_t from, uint32_t to) const;
};

// `count` elements of a rank's input: any integers, 0 or 1 as bool, floats of modest size.
Bytes random_elements(muster_dtype dtype, uint64_t count, uint64_t seed);

// One rank's side. The call points into it.
struct Side {
  bool takes_part = true;
  muster_call call{};
  Bytes send, recv, expected, scalar;
  std::vector<uint64_t> send_counts, send_displs, recv_counts, recv_displs;
};
// Not movable, because the call points into it.
std::unique_ptr<Side> side_of(const Exchange& exchange, uint32_t rank);

// Any operation, dtype, reduce operation, root and place.
Exchange random_exchange(std::mt19937_64& random, uint32_t size, uint64_t most_count);

}  // namespace muster::shm_test

#endif

// Inputs and right results: the operand of any rank is a function of its number, so every rank
// computes by itself what it must receive, to the bit.
#ifndef MUSTER_TESTS_GPU_PEER_REFERENCE_HPP
#define MUSTER_TESTS_GPU_PEER_REFERENCE_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "muster/types.h"

namespace muster::peer_test {

struct Case {
  muster_op op;
  muster_dtype dtype;
  muster_redop redop;
  uint64_t count;
  uint32_t root = 0;
  float scalar = 1.0f;  // sum only; exact in every dtype
  uint64_t seed = 1;

  std::string name() const;
  uint64_t send_count(uint32_t ranks) const;
  uint64_t recv_count(uint32_t ranks) const;
};

using Bytes = std::vector<unsigned char>;
Bytes operand_of(const Case& c, uint32_t rank, uint32_t ranks);
Bytes result_of(const Case& c, uint32_t rank, uint32_t ranks);

}  // namespace muster::peer_test

#endif

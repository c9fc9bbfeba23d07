// Calls with operands for tests that compare results byte by byte.
#ifndef MUSTER_TESTS_UNIT_COMPOSE_OPERANDS_HPP
#define MUSTER_TESTS_UNIT_COMPOSE_OPERANDS_HPP

#include <cstdint>
#include <vector>

#include "muster/call.h"

namespace muster::testing {

struct Shape {
  muster_op op = MUSTER_OP_NONE;
  muster_dtype dtype = MUSTER_F32;
  muster_redop redop = MUSTER_SUM;
  uint64_t count = 0;
  uint32_t root = 0;
  bool in_place = false;   // of rooted operations: on the root
  bool displaced = false;  // v-operations: with gaps, in reverse order of the ranks
};

// One rank's operands of a call. The same arguments give the same bytes, so that every rank can
// work out what the others send. Movable by nobody: the record points into it.
class Operands {
 public:
  Operands(const Shape& shape, uint32_t rank, uint32_t size);
  Operands(const Operands&) = delete;
  Operands& operator=(const Operands&) = delete;

  const muster_call& call() const { return call_; }
  // Everything that the call may read or write; send and recv point into it.
  const std::vector<char>& bytes() const { return bytes_; }
  // Those bytes as they must be afterwards, all else untouched.
  static std::vector<char> expected(const Shape& shape, uint32_t rank, uint32_t size);

 private:
  void lay_out(const Shape& shape);
  void place(const Shape& shape);

  uint32_t rank_;
  uint32_t size_;
  std::vector<char> bytes_;
  std::vector<uint64_t> send_counts_;
  std::vector<uint64_t> recv_counts_;
  std::vector<uint64_t> send_displs_;
  std::vector<uint64_t> recv_displs_;
  muster_call call_{};
};

}  // namespace muster::testing

#endif

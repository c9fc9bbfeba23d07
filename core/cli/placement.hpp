// Where the buffers of a measured call lie: in page-aligned memory that this rank has touched, in
// place or not, with the values of an Exercise around every checked round.
//
// One thread. Lives while the call is made; the Exercise outlives it.
#ifndef MUSTER_CORE_CLI_PLACEMENT_HPP
#define MUSTER_CORE_CLI_PLACEMENT_HPP

#include <cstdint>

#include "core/agree/exercise.hpp"
#include "core/cli/page_memory.hpp"

namespace muster::cli {

class Placement {
 public:
  Placement(Exercise& exercise, uint32_t rank, uint32_t size, bool in_place);
  Placement(const Placement&) = delete;
  Placement& operator=(const Placement&) = delete;

  // Whether the operation may write its result where its input lies.
  static bool has_in_place_form(muster_op op);

  const muster_call& call() const { return call_; }
  // New inputs, poisoned outputs; both in this memory.
  void fill(uint64_t round);
  // Of what arrived in this memory.
  Exercise::Wrong check();

 private:
  Exercise& exercise_;
  muster_call call_;
  uint64_t send_bytes_ = 0;
  uint64_t recv_bytes_ = 0;
  PageMemory send_;
  PageMemory recv_;  // in place: the only one
};

}  // namespace muster::cli

#endif

// One call with a known answer: buffers, operands, and the count of wrong elements afterwards. Used
// by the known-answer test, by `muster bench` and by `muster replay`, so that all three mean the
// same by "right".
//
// Inputs are small integers that depend on rank, index and round; every result is exact in every
// dtype that is_exact admits, but for averages of floats and the fused operation, which are
// rounded.
#ifndef MUSTER_CORE_AGREE_EXERCISE_HPP
#define MUSTER_CORE_AGREE_EXERCISE_HPP

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/agree/few_values.hpp"
#include "core/agree/fused_exercise.hpp"
#include "core/chain/key.hpp"
#include "muster/call.h"

namespace muster {

class Exercise {
 public:
  // count: as types.h says for op; of v-operations per rank (pair for all_to_allv), equal on all
  // ranks. quantised: of the fused operation, with quantised output.
  Exercise(muster_op op, muster_dtype dtype, muster_redop redop, uint64_t count, uint32_t rank,
           uint32_t size, bool quantised = false);

  // An all_to_allv whose counts differ: elements[from * size + to] go from rank to rank, packed.
  static Exercise routed(muster_dtype dtype, const std::vector<uint64_t>& elements, uint32_t rank,
                         uint32_t size);

  Exercise(Exercise&&) = default;  // the call points into the buffers, which move along

  // The selection bytes of a call of this count.
  static uint64_t selection_bytes(muster_op op, muster_dtype dtype, uint64_t count, uint32_t size);
  // Whether results can be told exactly for groups of this size.
  static bool is_exact(muster_op op, muster_dtype dtype, muster_redop redop, uint32_t size);

  // Fills the inputs for one round and poisons the outputs.
  void fill(uint64_t round);
  // The call on this exercise's buffers; out of place. Root 0; messages go around the ring.
  const muster_call& call() const { return call_; }
  // Everything that the call points into but counts: to be moved elsewhere, and back.
  using Buffers = std::vector<std::pair<void*, uint64_t>>;
  Buffers buffers();
  uint64_t bytes() const;  // selection bytes; of a routed call: the most that any rank sends

  using Wrong = WrongElements;
  // Compares what arrived here with what is right.
  Wrong check() const;

  std::string describe() const;  // "all_reduce bf16 sum count 5"

 private:
  static constexpr uint32_t kReduced = UINT32_MAX;
  // Results in a row: the operands of one rank from element `at` on, or of all ranks, reduced.
  struct Run {
    uint64_t count;
    uint64_t at;
    uint32_t from;
  };
  std::vector<Run> results() const;
  // An operand's value depends on its rank and on one of so many residues of its index.
  uint32_t residues() const;
  uint32_t residue(uint64_t index) const;
  int64_t value(uint32_t rank, uint32_t residue) const;
  // By residue.
  FewValues::Values right_values(uint32_t from) const;

  uint32_t rank_;
  uint32_t size_;
  uint64_t round_ = 0;
  std::vector<uint64_t> counts_;
  // Of a routed call: what arrives per source, and where it lies there and here.
  std::vector<uint64_t> arriving_;
  std::vector<uint64_t> source_offset_;
  std::vector<char> send_;
  std::vector<char> recv_;
  std::unique_ptr<FusedExercise> fused_;  // of the fused operation
  muster_call call_{};
};

}  // namespace muster

#endif

// What results must be: moved elements bit for bit, reductions against a reference in higher
// precision.
//
// Integers and bools are exact, with wrapping sums and products. Floats are reduced in f64 (f64
// itself in long double); the result must be one that some order of additions with the rounding of
// the accumulator (f32 for 16-bit floats) and one final rounding can give. min and max are exact
// and propagate NaN. Pure; any thread. Independent of the runtime's sources on purpose.
#ifndef MUSTER_TESTS_RANKS_REFERENCE_HPP
#define MUSTER_TESTS_RANKS_REFERENCE_HPP

#include <cstdint>
#include <string>

#include "muster/types.h"
#include "tests/ranks/values.hpp"

namespace muster::ranks {

// Wrong elements: how many, and which was the first.
struct Wrong {
  uint64_t count = 0;
  std::string first;

  void note(uint64_t how_many, const std::string& text) {
    if (count == 0) first = text;
    count += how_many;
  }
};

// A reduction over the inputs of all ranks.
struct Reduction {
  uint64_t seed;
  uint32_t ranks;
  muster_dtype dtype;
  muster_redop redop;
  bool special = false;
  const void* scalar = nullptr;  // one element; sums only
  bool stepwise = false;         // 16-bit floats are accumulated as such, as some devices do
};

// got[i] must be element first + i of that rank's input. Where in the result got[0] lies: `at`.
void check_moved(const Input& input, uint64_t first, uint64_t count, const void* got, uint64_t at,
                 Wrong& wrong);
// got[i] must be the reduction of element first + i.
void check_reduced(const Reduction& reduction, uint64_t first, uint64_t count, const void* got,
                   uint64_t at, Wrong& wrong);

}  // namespace muster::ranks

#endif

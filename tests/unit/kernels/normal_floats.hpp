// Operands of the norm kernels.
#ifndef MUSTER_TESTS_UNIT_KERNELS_NORMAL_FLOATS_HPP
#define MUSTER_TESTS_UNIT_KERNELS_NORMAL_FLOATS_HPP

#include <cstdint>
#include <random>
#include <vector>

namespace muster {

// Equal for equal arguments.
inline std::vector<float> normal_floats(uint64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

}  // namespace muster

#endif

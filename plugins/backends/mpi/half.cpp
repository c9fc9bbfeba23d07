#include "plugins/backends/mpi/half.hpp"

#include <cstring>

#include "muster/narrow_float.hpp"

namespace muster::mpi {
namespace {

struct Bf16 {
  static float widen(uint16_t half) { return bf16_to_f32(half); }
  static uint16_t narrow(float value) { return f32_to_bf16(value); }
};

struct F16 {
  static float widen(uint16_t half) { return f16_to_f32(half); }
  static uint16_t narrow(float value) { return f32_to_f16(value); }
};

template <typename Format>
void widen_all(const void* from, float* to, uint64_t count, const void* scalar) {
  const auto* bytes = static_cast<const unsigned char*>(from);
  float factor = 1;
  if (scalar != nullptr) {
    uint16_t half;
    std::memcpy(&half, scalar, sizeof(half));
    factor = Format::widen(half);
  }
  for (uint64_t i = 0; i < count; ++i) {
    uint16_t half;
    std::memcpy(&half, bytes + 2 * i, sizeof(half));
    to[i] = Format::widen(half) * factor;
  }
}

template <typename Format>
void narrow_all(const float* from, void* to, uint64_t count, uint64_t divisor) {
  auto* bytes = static_cast<unsigned char*>(to);
  const auto by = static_cast<float>(divisor);
  for (uint64_t i = 0; i < count; ++i) {
    const uint16_t half = Format::narrow(from[i] / by);
    std::memcpy(bytes + 2 * i, &half, sizeof(half));
  }
}

}  // namespace

void widen(muster_dtype dtype, const void* from, float* to, uint64_t count, const void* scalar) {
  if (dtype == MUSTER_F16) return widen_all<F16>(from, to, count, scalar);
  widen_all<Bf16>(from, to, count, scalar);
}

void narrow(muster_dtype dtype, const float* from, void* to, uint64_t count, uint64_t divisor) {
  if (dtype == MUSTER_F16) return narrow_all<F16>(from, to, count, divisor);
  narrow_all<Bf16>(from, to, count, divisor);
}

}  // namespace muster::mpi

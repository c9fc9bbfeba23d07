#include "tests/gpu/peer/reference.hpp"

#include <cstring>

#include "muster/names.h"
#include "muster/narrow_float.hpp"

namespace muster::peer_test {
namespace {

// In [-1, 1), some exact zeros of both signs; integers anywhere.
uint64_t hash_of(uint64_t seed, uint32_t rank, uint64_t i) {
  uint64_t x = (i + 1) * 0x9e3779b97f4a7c15u + seed * 0xd1342543de82ef95u +
               rank * uint64_t{0x2545f4914f6cdd1d};
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
  return x ^ (x >> 29);
}

float value_of(uint64_t seed, uint32_t rank, uint64_t i) {
  const uint64_t h = hash_of(seed, rank, i);
  if ((h & 63) == 0) return (h & 64) != 0 ? 0.0f : -0.0f;
  return static_cast<float>(static_cast<int32_t>(h >> 32)) * 0x1p-31f;
}

void store(muster_dtype dtype, unsigned char* at, uint64_t i, float v) {
  if (dtype == MUSTER_F32) {
    std::memcpy(at + i * 4, &v, 4);
    return;
  }
  const uint16_t bits = dtype == MUSTER_F16 ? f32_to_f16(v) : f32_to_bf16(v);
  std::memcpy(at + i * 2, &bits, 2);
}

// As it is after it was stored.
float rounded(muster_dtype dtype, float v) {
  if (dtype == MUSTER_F32) return v;
  return dtype == MUSTER_F16 ? f16_to_f32(f32_to_f16(v)) : bf16_to_f32(f32_to_bf16(v));
}

bool is_float(muster_dtype dtype) {
  return dtype == MUSTER_F32 || dtype == MUSTER_F16 || dtype == MUSTER_BF16;
}

float combine(float a, float b, muster_redop redop) {
  switch (redop) {
    case MUSTER_PROD:
      return a * b;
    case MUSTER_MIN:
      return b < a ? b : a;
    case MUSTER_MAX:
      return b > a ? b : a;
    default:
      return a + b;
  }
}

float reduced(const Case& c, uint64_t i, uint32_t ranks) {
  float sum = rounded(c.dtype, value_of(c.seed, 0, i)) * c.scalar;
  for (uint32_t r = 1; r < ranks; ++r) {
    sum = combine(sum, rounded(c.dtype, value_of(c.seed, r, i)) * c.scalar, c.redop);
  }
  return c.redop == MUSTER_AVG ? sum / static_cast<float>(ranks) : sum;
}

// `count` elements of a rank's operand from element `first` on.
void fill(const Case& c, uint32_t rank, uint64_t first, uint64_t count, unsigned char* out) {
  if (is_float(c.dtype)) {
    for (uint64_t i = 0; i < count; ++i) store(c.dtype, out, i, value_of(c.seed, rank, first + i));
    return;
  }
  const uint64_t size = muster_dtype_size(c.dtype);
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t h = hash_of(c.seed, rank, first + i);
    std::memcpy(out + i * size, &h, size);
  }
}

}  // namespace

std::string Case::name() const {
  return std::string(muster_op_name(op)) + " " + muster_dtype_name(dtype) + " " +
         muster_redop_name(redop) + " x" + std::to_string(count) +
         (scalar == 1.0f ? "" : " scaled");
}

uint64_t Case::send_count(uint32_t ranks) const {
  return op == MUSTER_REDUCE_SCATTER || op == MUSTER_ALL_TO_ALL ? count * ranks : count;
}
uint64_t Case::recv_count(uint32_t ranks) const {
  return op == MUSTER_ALL_GATHER || op == MUSTER_ALL_TO_ALL ? count * ranks : count;
}

Bytes operand_of(const Case& c, uint32_t rank, uint32_t ranks) {
  Bytes out(c.send_count(ranks) * muster_dtype_size(c.dtype));
  fill(c, rank, 0, c.send_count(ranks), out.data());
  return out;
}

Bytes result_of(const Case& c, uint32_t rank, uint32_t ranks) {
  const uint64_t size = muster_dtype_size(c.dtype);
  Bytes out(c.recv_count(ranks) * size);
  switch (c.op) {
    case MUSTER_ALL_REDUCE:
      for (uint64_t i = 0; i < c.count; ++i) store(c.dtype, out.data(), i, reduced(c, i, ranks));
      break;
    case MUSTER_REDUCE_SCATTER:
      for (uint64_t i = 0; i < c.count; ++i) {
        store(c.dtype, out.data(), i, reduced(c, rank * c.count + i, ranks));
      }
      break;
    case MUSTER_ALL_GATHER:
      for (uint32_t r = 0; r < ranks; ++r) {
        fill(c, r, 0, c.count, out.data() + r * c.count * size);
      }
      break;
    case MUSTER_ALL_TO_ALL:
      for (uint32_t r = 0; r < ranks; ++r) {
        fill(c, r, rank * c.count, c.count, out.data() + r * c.count * size);
      }
      break;
    default:
      fill(c, c.root, 0, c.count, out.data());
      break;
  }
  return out;
}

}  // namespace muster::peer_test

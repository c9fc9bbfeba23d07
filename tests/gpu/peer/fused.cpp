// The fused operation against a reference in double: residual_out to the bit, the norm within the
// rounding of its type.
#include <cmath>
#include <cstring>

#include "muster/names.h"
#include "muster/narrow_float.hpp"
#include "tests/gpu/peer/reference.hpp"
#include "tests/gpu/peer/suites.hpp"

namespace muster::peer_test {
namespace {

constexpr double kEpsilon = 1e-5;

struct Shape {
  muster_dtype dtype;
  uint64_t rows;
  uint64_t hidden;
  bool residual;
  uint32_t quant_group;

  std::string name() const {
    return std::string("fused ") + muster_dtype_name(dtype) + " " + std::to_string(rows) + "x" +
           std::to_string(hidden) + (residual ? " with residual" : "") +
           (quant_group != 0 ? " quantised" : "");
  }
};

float read(muster_dtype dtype, const Bytes& bytes, uint64_t i) {
  if (dtype == MUSTER_F32) {
    float v;
    std::memcpy(&v, bytes.data() + i * 4, 4);
    return v;
  }
  uint16_t bits;
  std::memcpy(&bits, bytes.data() + i * 2, 2);
  return dtype == MUSTER_F16 ? f16_to_f32(bits) : bf16_to_f32(bits);
}

float rounded(muster_dtype dtype, float v) {
  if (dtype == MUSTER_F32) return v;
  return dtype == MUSTER_F16 ? f16_to_f32(f32_to_f16(v)) : bf16_to_f32(f32_to_bf16(v));
}

// Buffers on the device, released at the end.
struct Buffers {
  explicit Buffers(Rank& r) : rank(r) {}
  ~Buffers() {
    rank.synchronize();
    rank.board.barrier();
    for (const cu::DevicePointer p : all) rank.release(p);
  }
  cu::DevicePointer make(uint64_t bytes) {
    all.push_back(rank.allocate(bytes));
    MUSTER_MUST(test_driver().fill(all.back(), 0xff, bytes, rank.stream));
    return all.back();
  }
  cu::DevicePointer make(const Bytes& bytes) {
    const cu::DevicePointer p = make(bytes.size());
    MUSTER_MUST(test_driver().copy_in(p, bytes.data(), bytes.size(), rank.stream));
    rank.synchronize();
    return p;
  }
  Bytes read_back(cu::DevicePointer p, uint64_t bytes) {
    Bytes out(bytes);
    rank.synchronize();
    MUSTER_MUST(test_driver().copy_out(out.data(), p, bytes, rank.stream));
    rank.synchronize();
    return out;
  }
  Rank& rank;
  std::vector<cu::DevicePointer> all;
};

// "" or what is wrong.
std::string compare(const Shape& s, const Bytes& x, const Bytes& residual, const Bytes& weight,
                    const Bytes& out, const Bytes& residual_out, const Bytes& scales) {
  const double unit = s.dtype == MUSTER_F32 ? 1e-5 : s.dtype == MUSTER_F16 ? 0x1p-10 : 0x1p-7;
  std::vector<float> r(s.hidden);
  for (uint64_t row = 0; row < s.rows; ++row) {
    double squares = 0;
    for (uint64_t i = 0; i < s.hidden; ++i) {
      const uint64_t at = row * s.hidden + i;
      r[i] = read(s.dtype, x, at) + (s.residual ? read(s.dtype, residual, at) : 0.0f);
      squares += static_cast<double>(r[i]) * r[i];
      if (s.residual && read(s.dtype, residual_out, at) != rounded(s.dtype, r[i])) {
        return "residual_out differs in element " + std::to_string(at);
      }
    }
    const double norm = 1 / std::sqrt(squares / static_cast<double>(s.hidden) + kEpsilon);
    for (uint64_t i = 0; i < s.hidden; ++i) {
      const uint64_t at = row * s.hidden + i;
      const double expected = r[i] * norm * read(s.dtype, weight, i);
      double got = 0;
      double allowed = unit * std::fabs(expected) + 1e-6;
      if (s.quant_group == 0) {
        got = read(s.dtype, out, at);
      } else {
        float scale;
        std::memcpy(&scale, scales.data() + at / s.quant_group * 4, 4);
        got = static_cast<double>(f8e4m3_to_f32(out[at])) * scale;
        allowed = 0.07 * std::fabs(expected) + scale * 0x1p-9;
      }
      if (!(std::fabs(got - expected) <= allowed)) {
        return "element " + std::to_string(at) + " is " + std::to_string(got) + ", expected " +
               std::to_string(expected);
      }
    }
  }
  return {};
}

void once(Rank& rank, const Shape& s, uint64_t seed) {
  const uint64_t count = s.rows * s.hidden;
  const uint64_t size = muster_dtype_size(s.dtype);
  const Case sum{MUSTER_ALL_REDUCE, s.dtype, MUSTER_SUM, count, 0, 1.0f, seed};
  const Case same{MUSTER_ALL_REDUCE, s.dtype, MUSTER_SUM, count, 0, 1.0f, seed + 1000};
  const Case weights{MUSTER_ALL_REDUCE, s.dtype, MUSTER_SUM, s.hidden, 0, 1.0f, seed + 2000};
  const Bytes residual = operand_of(same, 0, rank.size);
  const Bytes weight = operand_of(weights, 0, rank.size);
  Buffers buffers(rank);
  muster_fused_rmsnorm fused{};
  fused.struct_size = MUSTER_FUSED_RMSNORM_SIZE;
  fused.quant_group = s.quant_group;
  fused.hidden = s.hidden;
  fused.epsilon = kEpsilon;
  const cu::DevicePointer send = buffers.make(operand_of(sum, rank.rank, rank.size));
  const cu::DevicePointer recv = buffers.make(count * size);
  const cu::DevicePointer residual_out = buffers.make(residual);
  const cu::DevicePointer scales = buffers.make(count * 4);
  fused.weight = reinterpret_cast<const void*>(buffers.make(weight));
  if (s.residual) {
    fused.residual = reinterpret_cast<const void*>(residual_out);
    fused.residual_out = reinterpret_cast<void*>(residual_out);
  }
  if (s.quant_group != 0) fused.scale_out = reinterpret_cast<float*>(scales);
  rank.board.barrier();
  muster_call call =
      rank.call(MUSTER_FUSED_ALL_REDUCE_RMSNORM, s.dtype, MUSTER_SUM, count, send, recv);
  call.fused = &fused;
  std::string cause = rank.execute(call);
  rank.synchronize();
  if (cause.empty()) cause = rank.async_error();
  if (cause.empty()) {
    const uint64_t groups = s.quant_group == 0 ? 0 : count / s.quant_group;
    cause = compare(s, result_of(sum, rank.rank, rank.size), residual, weight,
                    buffers.read_back(recv, count * (s.quant_group == 0 ? size : 1)),
                    buffers.read_back(residual_out, count * size),
                    buffers.read_back(scales, groups * 4));
  }
  if (cause.empty()) {
    rank.board.pass();
  } else {
    rank.board.fail("rank " + std::to_string(rank.rank) + " " + s.name() + ": " + cause);
  }
}

}  // namespace

void fused(Rank& rank) {
  uint64_t seed = 1;
  for (const muster_dtype dtype : {MUSTER_BF16, MUSTER_F16, MUSTER_F32}) {
    for (const uint64_t rows : {1, 2, 7, 20, 33, 129, 300}) {
      for (const uint64_t hidden : {64, 333, 1024, 8192}) {
        once(rank, {dtype, rows, hidden, rows % 2 == 1, 0}, ++seed);
      }
    }
    once(rank, {dtype, 3, 20000, true, 0}, ++seed);
    once(rank, {dtype, 5, 1024, true, 128}, ++seed);
    once(rank, {dtype, 200, 8192, true, 128}, ++seed);
    once(rank, {dtype, 3, 96, false, 32}, ++seed);
  }
}

}  // namespace muster::peer_test

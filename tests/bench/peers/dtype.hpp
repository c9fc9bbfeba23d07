// The element types that peers are measured with: those that C and MPI have.
#ifndef MUSTER_TESTS_BENCH_PEERS_DTYPE_HPP
#define MUSTER_TESTS_BENCH_PEERS_DTYPE_HPP

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace muster::peers {

enum class Dtype { kF32, kF64, kI8, kU8, kI32, kU32, kI64, kU64 };
enum class Redop { kSum, kProd, kMin, kMax };

struct DtypeName {
  std::string_view name;
  Dtype dtype;
};
inline constexpr DtypeName kDtypes[] = {
    {"f32", Dtype::kF32}, {"f64", Dtype::kF64}, {"i8", Dtype::kI8},   {"u8", Dtype::kU8},
    {"i32", Dtype::kI32}, {"u32", Dtype::kU32}, {"i64", Dtype::kI64}, {"u64", Dtype::kU64}};

struct RedopName {
  std::string_view name;
  Redop redop;
};
inline constexpr RedopName kRedops[] = {
    {"sum", Redop::kSum}, {"prod", Redop::kProd}, {"min", Redop::kMin}, {"max", Redop::kMax}};

// Calls f with a T{} of that dtype.
template <class F>
auto with_type(Dtype dtype, F&& f) {
  switch (dtype) {
    case Dtype::kF64:
      return f(double{});
    case Dtype::kI8:
      return f(int8_t{});
    case Dtype::kU8:
      return f(uint8_t{});
    case Dtype::kI32:
      return f(int32_t{});
    case Dtype::kU32:
      return f(uint32_t{});
    case Dtype::kI64:
      return f(int64_t{});
    case Dtype::kU64:
      return f(uint64_t{});
    default:
      return f(float{});
  }
}

template <class T>
T combine(Redop redop, T a, T b) {
  switch (redop) {
    case Redop::kProd:
      return static_cast<T>(a * b);
    case Redop::kMin:
      return std::min(a, b);
    case Redop::kMax:
      return std::max(a, b);
    default:
      return static_cast<T>(a + b);
  }
}

}  // namespace muster::peers

#endif

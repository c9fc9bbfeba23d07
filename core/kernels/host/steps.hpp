// One step of a reduction: how many elements it takes at once, in what they are accumulated, how
// they are loaded and stored. Private to the host kernels.
//
// store_rounded takes what arithmetic gave, store_chosen what is an element of a source as it was.
//
// A step of one element is what the compiler makes vectors of. Steps of a whole register are for
// what compilers make slow code of: the narrow loads and stores of 16-bit floats, minima and maxima
// of more than two floats, and truth values, which are combined as 32-bit integers.
#ifndef MUSTER_CORE_KERNELS_HOST_STEPS_HPP
#define MUSTER_CORE_KERNELS_HOST_STEPS_HPP

#include "elements.hpp"
#include "vectors.hpp"

namespace muster::kernels {

template <typename Stored>
Stored load_at(const void* base, uint64_t index) {
  Stored stored;
  std::memcpy(&stored, static_cast<const unsigned char*>(base) + index * sizeof(Stored),
              sizeof(Stored));
  return stored;
}

template <typename Stored>
void store_at(void* base, uint64_t index, Stored stored) {
  std::memcpy(static_cast<unsigned char*>(base) + index * sizeof(Stored), &stored, sizeof(Stored));
}

template <typename Of>
struct OneElement {
  using Element = Of;
  using Sum = typename Element::Value;
  static constexpr uint64_t kElements = 1;
  static Sum load(const unsigned char* from) {
    return Element::load(load_at<typename Element::Stored>(from, 0));
  }
  static void store_rounded(unsigned char* to, Sum sum) { store_at(to, 0, Element::store(sum)); }
  static void store_chosen(unsigned char* to, Sum sum) { store_rounded(to, sum); }
  static Sum multiply(Sum a, Sum b) { return Element::multiply(a, b); }
  static Sum divide(Sum a, uint64_t divisor) { return Element::divide(a, divisor); }
  static Sum same(Sum value) { return value; }
  static Sum truth(Sum value) { return static_cast<Sum>(value != 0); }
  template <muster_redop kRedop>
  static Sum combine(Sum a, Sum b) {
    return kernels::combine<Element, kRedop>(a, b);
  }
};

// As combine() of elements.hpp, lane by lane.
template <muster_redop kRedop, typename Lanes>
Lanes combine_lanes(Lanes a, Lanes b) {
  if constexpr (kRedop == MUSTER_SUM || kRedop == MUSTER_AVG) return a + b;
  if constexpr (kRedop == MUSTER_PROD) return a * b;
  if constexpr (kRedop == MUSTER_MIN) return ((a < b) | (a != a)) ? a : b;
  if constexpr (kRedop == MUSTER_MAX) return ((b < a) | (a != a)) ? a : b;
}

// Floats that are stored as they are computed with.
template <typename Of, typename Lanes>
struct NativeRegister {
  using Element = Of;
  using Sum = Lanes;
  static constexpr uint64_t kElements = kRegister / sizeof(typename Element::Stored);
  static Sum load(const unsigned char* from) { return load_at<Sum>(from, 0); }
  static void store_rounded(unsigned char* to, Sum sum) { store_at(to, 0, sum); }
  static void store_chosen(unsigned char* to, Sum sum) { store_rounded(to, sum); }
  static Sum multiply(Sum a, Sum b) { return a * b; }
  static Sum same(typename Element::Value value) { return Sum{} + value; }
  template <muster_redop kRedop>
  static Sum combine(Sum a, Sum b) {
    return combine_lanes<kRedop>(a, b);
  }
};

// Truth values, one a byte, always 0 or 1: what adds is or, what multiplies is and. An average
// counts them; the count stays at 255, so that it says nothing of larger divisors.
struct BoolRegister {
  using Element = Bool;
  using Sum = Bytes;
  static constexpr uint64_t kElements = kRegister;
  static constexpr uint64_t kLargestDivisor = 255;
  static Sum load(const unsigned char* from) { return (Sum)(load_at<Sum>(from, 0) != 0) & 1; }
  static void store_rounded(unsigned char* to, Sum sum) { store_at(to, 0, sum); }
  static void store_chosen(unsigned char* to, Sum sum) { store_at(to, 0, sum); }
  static Sum multiply(Sum a, Sum b) { return a & b; }
  static Sum divide(Sum a, uint64_t divisor) {
    return (Sum)(a >= same(static_cast<uint32_t>(divisor))) & 1;
  }
  static Sum same(uint32_t value) { return Sum{} + static_cast<uint8_t>(value); }
  static Sum truth(Sum value) { return value; }
  template <muster_redop kRedop>
  static Sum combine(Sum a, Sum b) {
    if constexpr (kRedop == MUSTER_AVG) {
      const Sum count = a + b;
      return count | (Sum)(count < a);
    } else if constexpr (kRedop == MUSTER_BXOR || kRedop == MUSTER_LXOR) {
      return a ^ b;
    } else if constexpr (kRedop == MUSTER_PROD || kRedop == MUSTER_MIN || kRedop == MUSTER_BAND ||
                         kRedop == MUSTER_LAND) {
      return a & b;
    } else {
      return a | b;
    }
  }
};

template <typename Of>
struct OneRegister {
  using Element = Of;
  using Sum = FloatPair;
  static constexpr uint64_t kElements = kRegister / 2;
  static Sum multiply(Sum a, Sum b) { return {a.first * b.first, a.second * b.second}; }
  static Sum divide(Sum a, uint64_t divisor) {
    const float by = static_cast<float>(divisor);
    return {a.first / by, a.second / by};
  }
  static Sum same(float value) { return {Floats{} + value, Floats{} + value}; }
  template <muster_redop kRedop>
  static Sum combine(Sum a, Sum b) {
    return {combine_lanes<kRedop>(a.first, b.first), combine_lanes<kRedop>(a.second, b.second)};
  }
};

// The elements of even and of odd places: each a shift or a mask away from its f32.
struct Bf16Register : OneRegister<Bf16> {
  static Sum load(const unsigned char* from) {
    const Words words = words_at(from);
    return {(Floats)(words << 16), (Floats)(words & 0xffff0000u)};
  }

  // What comes out of arithmetic on bf16 needs no care for NaN: it is quiet, and its low half, as
  // that of every bf16 and of the NaN that the processor makes, is zero, so that rounding keeps it.
  // Up goes what lost more than half, and half if the kept part is odd: the top bit of what was
  // lost, less 1 where the kept part is even.
  static void store_rounded(unsigned char* to, const Sum& sum) {
    const Words even = (Words)sum.first;
    const Words odd = (Words)sum.second;
    const Words kept = halves(even >> 16, odd);
    const Words lost = halves(even, odd << 16);
    const Words up = half_words_less(lost, ~kept & 0x00010001u);
    put_words(to, (Words)((HalfWords)kept + ((HalfWords)up >> 15)));
  }

  // Unchanged elements: nothing to round, but NaN becomes quiet.
  static void store_chosen(unsigned char* to, const Sum& sum) {
    Words low = (Words)sum.first >> 16;
    Words high = (Words)sum.second;
    if (__builtin_expect(any_nan(sum), 0)) {
      low |= (Words)(sum.first != sum.first) & 0x40u;
      high |= (Words)(sum.second != sum.second) & 0x400000u;
    }
    put_words(to, halves(low, high));
  }
};

#if defined(__F16C__) && defined(__AVX2__)
// The two halves of the register, converted by the processor.
struct F16Register : OneRegister<F16> {
#if defined(__AVX512BW__)
  static Floats wide(const unsigned char* from) {
    return (Floats)_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
  static void narrow(unsigned char* to, Floats value) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtps_ph((__m512)value, kNearest));
  }
#else
  static Floats wide(const unsigned char* from) {
    return (Floats)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  static void narrow(unsigned char* to, Floats value) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_cvtps_ph((__m256)value, kNearest));
  }
#endif
  static Sum load(const unsigned char* from) { return {wide(from), wide(from + kRegister / 2)}; }
  static void store_rounded(unsigned char* to, const Sum& sum) {
    narrow(to, sum.first);
    narrow(to + kRegister / 2, sum.second);
  }
  static void store_chosen(unsigned char* to, const Sum& sum) { store_rounded(to, sum); }

 private:
  static constexpr int kNearest = 0;  // ties to even, whatever the thread's rounding is
};
#endif

// The steps that a reduction is made of: the wide one first, then single elements.
template <typename Element, muster_redop kRedop>
struct WideStep {
  using Type = OneElement<Element>;
};
template <muster_redop kRedop>
struct WideStep<Bool, kRedop> {
  using Type = BoolRegister;
};
template <muster_redop kRedop>
struct WideStep<Bf16, kRedop> {
  using Type = Bf16Register;
};
#if defined(__F16C__) && defined(__AVX2__)
template <muster_redop kRedop>
struct WideStep<F16, kRedop> {
  using Type = F16Register;
};
#endif
template <typename T, typename Lanes, muster_redop kRedop>
using NativeStep = std::conditional_t<kRedop == MUSTER_MIN || kRedop == MUSTER_MAX,
                                      NativeRegister<Native<T>, Lanes>, OneElement<Native<T>>>;
template <muster_redop kRedop>
struct WideStep<Native<float>, kRedop> {
  using Type = NativeStep<float, Floats, kRedop>;
};
template <muster_redop kRedop>
struct WideStep<Native<double>, kRedop> {
  using Type = NativeStep<double, Doubles, kRedop>;
};

}  // namespace muster::kernels

#endif

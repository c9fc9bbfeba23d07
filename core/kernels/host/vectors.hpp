// Registers of the instruction set that is compiled for: how wide they are, and what the compiler's
// vector extensions do not say. Private to the host kernels.
#ifndef MUSTER_CORE_KERNELS_HOST_VECTORS_HPP
#define MUSTER_CORE_KERNELS_HOST_VECTORS_HPP

#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// The iterations of the loop that follows do not depend on each other, whatever the compiler cannot
// see of its pointers.
#if defined(__clang__)
#define MUSTER_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define MUSTER_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace muster::kernels {

#if defined(__AVX512BW__)
inline constexpr uint64_t kRegister = 64;
#elif defined(__AVX2__)
inline constexpr uint64_t kRegister = 32;
#else
inline constexpr uint64_t kRegister = 16;
#endif

typedef float Floats __attribute__((vector_size(kRegister)));
typedef double Doubles __attribute__((vector_size(kRegister)));
typedef uint32_t Words __attribute__((vector_size(kRegister)));
typedef uint8_t Bytes __attribute__((vector_size(kRegister)));
typedef uint16_t HalfWords __attribute__((vector_size(kRegister)));

// Two registers of f32: the values of one register of 16-bit floats, in the order that suits them.
struct FloatPair {
  Floats first;
  Floats second;
};

inline Words words_at(const unsigned char* from) {
  Words words;
  std::memcpy(&words, from, sizeof(words));
  return words;
}

inline void put_words(unsigned char* to, Words words) { std::memcpy(to, &words, sizeof(words)); }

// The low half of each word of `low`, the high half of each word of `high`.
inline Words halves(Words low, Words high) {
#if defined(__AVX512BW__)
  return (Words)_mm512_mask_mov_epi16((__m512i)low, 0xaaaaaaaau, (__m512i)high);
#elif defined(__AVX2__)
  return (Words)_mm256_blend_epi16((__m256i)low, (__m256i)high, 0xaa);
#elif defined(__SSE4_1__)
  return (Words)_mm_blend_epi16((__m128i)low, (__m128i)high, 0xaa);
#else
  return (low & 0xffffu) | (high & 0xffff0000u);
#endif
}

// a - b of each half word, 0 where b is greater.
inline Words half_words_less(Words a, Words b) {
#if defined(__AVX512BW__)
  return (Words)_mm512_subs_epu16((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (Words)_mm256_subs_epu16((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
  return (Words)_mm_subs_epu16((__m128i)a, (__m128i)b);
#else
  const HalfWords from = (HalfWords)a;
  const HalfWords less = (HalfWords)b;
  return (Words)((from - less) & (HalfWords)(from > less));
#endif
}

inline bool any_nan(const FloatPair& v) {
#if defined(__AVX512BW__)
  return _mm512_cmp_ps_mask((__m512)v.first, (__m512)v.second, _CMP_UNORD_Q) != 0;
#elif defined(__AVX2__)
  return _mm256_movemask_ps(_mm256_cmp_ps((__m256)v.first, (__m256)v.second, _CMP_UNORD_Q)) != 0;
#elif defined(__SSE2__)
  return _mm_movemask_ps(_mm_cmpunord_ps((__m128)v.first, (__m128)v.second)) != 0;
#else
  const Words unordered = (Words)(v.first != v.first) | (Words)(v.second != v.second);
  uint32_t any = 0;
  for (uint64_t i = 0; i < kRegister / 4; ++i) any |= unordered[i];
  return any != 0;
#endif
}

}  // namespace muster::kernels

#endif

// Copies whose destination is written around the caches. Private to the host kernels.
//
// Lines of the destination are written whole, by stores that do not read them first and do not push
// out what the caches hold; they pay where the destination does not fit the caches, or is not read
// soon. Such stores are weakly ordered: finish_streaming() comes before anybody is told.
#ifndef MUSTER_CORE_KERNELS_HOST_STREAMING_HPP
#define MUSTER_CORE_KERNELS_HOST_STREAMING_HPP

#include "vectors.hpp"

namespace muster::kernels {

inline constexpr uint64_t kLine = 64;

// Bytes from `address` to the next line.
inline uint64_t bytes_to_line(const void* address) {
  return (kLine - reinterpret_cast<uintptr_t>(address) % kLine) % kLine;
}

// `to` begins a line.
inline void stream_line(unsigned char* to, const unsigned char* from) {
#if defined(__AVX512BW__)
  _mm512_stream_si512(reinterpret_cast<__m512i*>(to), _mm512_loadu_si512(from));
#elif defined(__AVX2__)
  const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 32));
  _mm256_stream_si256(reinterpret_cast<__m256i*>(to), low);
  _mm256_stream_si256(reinterpret_cast<__m256i*>(to + 32), high);
#elif defined(__SSE2__)
  __m128i part[4];
  for (int i = 0; i < 4; ++i)
    part[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 16 * i));
  for (int i = 0; i < 4; ++i) _mm_stream_si128(reinterpret_cast<__m128i*>(to + 16 * i), part[i]);
#else
  std::memcpy(to, from, kLine);
#endif
}

// What does not fill a line of the destination is stored in the usual way.
inline void stream(unsigned char* to, const unsigned char* from, uint64_t bytes) {
  const uint64_t head = bytes_to_line(to) < bytes ? bytes_to_line(to) : bytes;
  if (head != 0) std::memcpy(to, from, head);
  uint64_t done = head;
  for (; done + kLine <= bytes; done += kLine) stream_line(to + done, from + done);
  if (done != bytes) std::memcpy(to + done, from + done, bytes - done);
}

inline void finish_streaming() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

}  // namespace muster::kernels

#endif

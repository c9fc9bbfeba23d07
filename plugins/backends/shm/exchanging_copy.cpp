#include "plugins/backends/shm/exchanging_copy.hpp"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace muster::shm {

#if defined(__x86_64__)
namespace {

constexpr uint64_t kLine = 64;
constexpr uint64_t kStreams = 4;
constexpr uint64_t kAhead = 8 * kLine;

struct Line {
  __m256i low;
  __m256i high;
};

__attribute__((target("avx"))) inline Line load(const std::byte* from) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)),
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + kLine / 2))};
}
__attribute__((target("avx"))) inline void store(std::byte* to, const Line& line) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), line.low);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + kLine / 2), line.high);
}
__attribute__((target("avx"))) inline void store_around(std::byte* to, const Line& line) {
  _mm256_stream_si256(reinterpret_cast<__m256i*>(to), line.low);
  _mm256_stream_si256(reinterpret_cast<__m256i*>(to + kLine / 2), line.high);
}

// A copy in hand: what of it is left, from its beginning on.
struct Rest {
  explicit Rest(const Copy& copy) : to(copy.to), from(copy.from), bytes(copy.bytes) {}
  void skip(uint64_t moved) {
    to += moved;
    from += moved;
    bytes -= moved;
  }
  void finish() const {
    if (bytes != 0) std::memcpy(to, from, bytes);
  }
  std::byte* to;
  const std::byte* from;
  uint64_t bytes;
};

__attribute__((target("avx"))) void exchange_avx(const Copy& shown, const Copy& taken,
                                                 const Copy& own) {
  Rest out(shown), in(taken), beside(own);
  const auto out_and_beside = [&]() __attribute__((target("avx"), always_inline)) {
    store_around(out.to, load(out.from));
    out.skip(kLine);
    if (beside.bytes >= kLine) {
      store(beside.to, load(beside.from));
      beside.skip(kLine);
    }
  };
  const uint64_t stream = std::min(out.bytes, in.bytes) / (kStreams * kLine) * kLine;
  for (uint64_t i = 0; i < stream; i += kLine) {
    for (uint64_t s = 0; s < kStreams; ++s) {
      const uint64_t at = s * stream + i;
      // Of no more than is copied: what lies behind may be another rank's to write.
      if (i + kAhead < stream) {
        _mm_prefetch(reinterpret_cast<const char*>(in.from + at + kAhead), _MM_HINT_NTA);
      }
      store(in.to + at, load(in.from + at));
      out_and_beside();
    }
  }
  in.skip(kStreams * stream);
  while (out.bytes >= kLine) out_and_beside();
  out.finish();
  in.finish();
  beside.finish();
  _mm_sfence();
}

}  // namespace

ExchangingCopy exchanging_copy() { return __builtin_cpu_supports("avx") ? &exchange_avx : nullptr; }
#else
ExchangingCopy exchanging_copy() { return nullptr; }
#endif

}  // namespace muster::shm

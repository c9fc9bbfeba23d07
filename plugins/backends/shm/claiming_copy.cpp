#include "plugins/backends/shm/claiming_copy.hpp"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace muster::shm {

#if defined(__x86_64__)
namespace {

constexpr uint64_t kLine = 64;
constexpr uint64_t kAhead = 8 * kLine;

enum class Claimed { kDestination, kSource };

// Processors without the prefetch for writing take it for nothing.
template <Claimed claimed>
__attribute__((target("avx,prfchw"))) void copy_avx(void* dst, const void* src, uint64_t bytes) {
  auto* to = static_cast<unsigned char*>(dst);
  const auto* from = static_cast<const unsigned char*>(src);
  for (; bytes >= kLine; bytes -= kLine, to += kLine, from += kLine) {
    // No more than is copied: what lies behind the source may be another rank's to write.
    if (claimed == Claimed::kDestination) {
      __builtin_prefetch(to + kAhead, 1, 3);
    } else if (bytes > kAhead) {
      __builtin_prefetch(from + kAhead, 1, 3);
    }
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 32));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), low);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 32), high);
  }
  if (bytes != 0) std::memcpy(to, from, bytes);
}

__attribute__((target("prfchw"))) void claim(const void* memory, uint64_t bytes) {
  const auto* line = static_cast<const unsigned char*>(memory);
  for (const unsigned char* const end = line + bytes; line < end; line += kLine) {
    __builtin_prefetch(line, 1, 3);
  }
}

}  // namespace

muster_host_copy claiming_copy() {
  return __builtin_cpu_supports("avx") ? &copy_avx<Claimed::kDestination> : nullptr;
}
muster_host_copy taking_over_copy() {
  return __builtin_cpu_supports("avx") ? &copy_avx<Claimed::kSource> : nullptr;
}
void claim_lines(const void* memory, uint64_t bytes) { claim(memory, bytes); }
#else
muster_host_copy claiming_copy() { return nullptr; }
muster_host_copy taking_over_copy() { return nullptr; }
void claim_lines(const void*, uint64_t) {}
#endif

}  // namespace muster::shm

#include "plugins/backends/shm/unfenced_copy.hpp"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace muster::shm {

#if defined(__x86_64__)
namespace {

constexpr uint64_t kLine = 64;

// What does not fill a line of the destination is stored in the usual way.
__attribute__((target("avx"))) void copy_avx(void* dst, const void* src, uint64_t bytes) {
  auto* to = static_cast<unsigned char*>(dst);
  const auto* from = static_cast<const unsigned char*>(src);
  const uint64_t to_line = (kLine - reinterpret_cast<uintptr_t>(to) % kLine) % kLine;
  const uint64_t head = to_line < bytes ? to_line : bytes;
  if (head != 0) std::memcpy(to, from, head);
  uint64_t done = head;
  for (; done + kLine <= bytes; done += kLine) {
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + done));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + done + 32));
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to + done), low);
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to + done + 32), high);
  }
  if (done != bytes) std::memcpy(to + done, from + done, bytes - done);
}

}  // namespace

muster_host_copy unfenced_copy() { return __builtin_cpu_supports("avx") ? &copy_avx : nullptr; }
void fence_copies() { _mm_sfence(); }
#else
muster_host_copy unfenced_copy() { return nullptr; }
void fence_copies() {}
#endif

}  // namespace muster::shm

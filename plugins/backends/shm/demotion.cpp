#include "plugins/backends/shm/demotion.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace muster::shm {

bool demotes_lines() {
#if defined(__x86_64__)
  constexpr unsigned kBit = 1u << 25;  // of ECX of leaf 7
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c & kBit) != 0;
#else
  return false;
#endif
}

}  // namespace muster::shm

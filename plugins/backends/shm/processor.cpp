#include "plugins/backends/shm/processor.hpp"

#include <unistd.h>

namespace muster::shm {

Processor processor_of(bool amd, int64_t second_level_bytes) {
  constexpr int64_t kLarge = 1024 * 1024;
  if (amd) return kSeveralCaches;
  return second_level_bytes >= kLarge ? kLargeSecondLevel : kOther;
}

Processor this_processor() {
#if defined(__x86_64__)
  const bool amd = __builtin_cpu_is("amd");
#else
  const bool amd = false;
#endif
  return processor_of(amd, sysconf(_SC_LEVEL2_CACHE_SIZE));
}

}  // namespace muster::shm

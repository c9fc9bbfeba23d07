// Putting lines that this core has written where other cores find them sooner: out of its own
// caches, into the one that all of them share. As CLDEMOTE of newer Intel processors; for others
// its code is a no-operation.
//
// What it saves is the way through this core when another reads the line, and that the line is then
// the reader's alone, who writes to it next. What it costs shows where this core writes to the line
// again, or asks for many.
#ifndef MUSTER_PLUGINS_SHM_DEMOTION_HPP
#define MUSTER_PLUGINS_SHM_DEMOTION_HPP

#include <cstdint>

namespace muster::shm {

// Whether this processor does. Any thread.
bool demotes_lines();

// The lines of some memory; what is in them stays as it is, and nobody waits for it.
inline void demote_lines([[maybe_unused]] const void* memory, [[maybe_unused]] uint64_t bytes) {
#if defined(__x86_64__)
  constexpr uint64_t kLine = 64;
  const auto* line = static_cast<const char*>(memory);
  for (const char* const end = line + bytes; line < end; line += kLine) {
    __asm__ volatile("cldemote %0" : : "m"(*line));
  }
#endif
}

}  // namespace muster::shm

#endif

// What a core does between two looks at a word: leaves the pipeline to its neighbour.
#ifndef MUSTER_PLUGINS_SHM_PAUSE_HPP
#define MUSTER_PLUGINS_SHM_PAUSE_HPP

namespace muster::shm {

inline void pause_core() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

}  // namespace muster::shm

#endif

// The processes behind probe_child.hpp: an intermediate that the program's waits never see, and
// muster-probe below it. System calls only: the intermediate shares this process's memory.
#ifndef MUSTER_CORE_DISCOVER_PROBE_PROCESS_HPP
#define MUSTER_CORE_DISCOVER_PROBE_PROCESS_HPP

#include <cstddef>
#include <cstdint>

namespace muster {

struct ProbeProcess {
  char* const* arguments = nullptr;    // [0]: the program's path
  char* const* environment = nullptr;  // NULL-terminated
  uint64_t budget_ns = 0;
  char* answer = nullptr;
  size_t capacity = 0;

  // Of the two processes alone.
  char* probe_stack = nullptr;
  int null = -1;
  int read_end = -1;
  int write_end = -1;

  size_t used = 0;       // bytes of answer
  int wait_status = 0;   // of muster-probe
  bool overdue = false;  // it was ended because the budget was over
  int error = 0;         // errno when no process could be started
};

// Returns when muster-probe has ended or was ended.
void run_probe_process(ProbeProcess& run);

}  // namespace muster

#endif

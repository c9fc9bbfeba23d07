// Runs another program to its end and keeps what it prints.
//
// The program dies with the caller. Blocks until it has ended or its time is up. Like Python's
// subprocess.run(capture_output=True, input=..., timeout=...).
#ifndef MUSTER_CORE_CLI_CAPTURED_RUN_HPP
#define MUSTER_CORE_CLI_CAPTURED_RUN_HPP

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.hpp"

namespace muster::cli {

struct CapturedRun {
  int exit_code = 0;  // 128 + the signal that ended it
  std::string out;
  std::string err;
};

// NOT_FOUND when the program cannot be run; DEADLINE_EXCEEDED when it took longer, it is killed
// then.
Result<CapturedRun> run_captured(const std::vector<std::string>& command, std::string_view input,
                                 std::chrono::seconds limit);

}  // namespace muster::cli

#endif

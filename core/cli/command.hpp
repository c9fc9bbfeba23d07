// What the verbs of the `muster` command share: exit codes, output, the CLI11 hook of each verb.
//
// A verb adds its options to the application and leaves a function to run once they are parsed.
// Data goes to stdout, logs and errors to stderr.
#ifndef MUSTER_CORE_CLI_COMMAND_HPP
#define MUSTER_CORE_CLI_COMMAND_HPP

#include <functional>
#include <string>
#include <vector>

#include "core/base/status.hpp"

// CLI11 takes seconds in every file that includes it: only those do that add options.
namespace CLI {
class App;
}

namespace muster::cli {

enum ExitCode : int { kOk = 0, kFailed = 1, kUsage = 2, kNothingUsable = 3, kSkipped = 77 };

// What the command line says before a verb runs.
struct Context {
  std::vector<std::string> arguments;  // argv, for verbs that start themselves again
  std::function<int()> run;
};

// Prints "muster: message" to stderr and gives the exit code that fits the status.
int fail(const Status& status);

void add_list(CLI::App& app, Context& context);
void add_check(CLI::App& app, Context& context);
void add_inspect(CLI::App& app, Context& context);
void add_explain(CLI::App& app, Context& context);
void add_config(CLI::App& app, Context& context);
void add_run(CLI::App& app, Context& context);
void add_bench(CLI::App& app, Context& context);
void add_replay(CLI::App& app, Context& context);
void add_precompile(CLI::App& app, Context& context);
void add_doctor(CLI::App& app, Context& context);
void add_version(CLI::App& app, Context& context);

}  // namespace muster::cli

#endif

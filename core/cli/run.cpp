// `muster run -n N -- program`: the local launcher.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "core/bootstrap/launcher.hpp"
#include "core/cli/command.hpp"

namespace muster::cli {
namespace {

struct Options {
  LaunchOptions launch;
  uint64_t grace_ms = 10000;
  bool dry_run = false;
};

}  // namespace

void add_run(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* verb =
      app.add_subcommand("run", "Start a program as N ranks on this machine (no MPI needed)");
  verb->add_option("-n,--ranks", options->launch.ranks, "How many ranks")
      ->required()
      ->check(CLI::Range(1, 4096));
  verb->add_flag("--prefix", options->launch.prefix_output,
                 "Put the rank in front of every line of output");
  verb->add_option("--grace-ms", options->grace_ms,
                   "How long the others may go on after one failed")
      ->check(CLI::Range(0, 86'400'000))
      ->capture_default_str();
  verb->add_flag("--dry-run", options->dry_run,
                 "Print what would be started, with its environment");
  verb->add_option("program", options->launch.command, "The program and its arguments, after --")
      ->required();
  verb->prefix_command(false);
  verb->positionals_at_end();
  verb->callback([&context, options] {
    context.run = [options] {
      options->launch.grace = std::chrono::milliseconds(options->grace_ms);
      if (!options->dry_run) return launch(options->launch);
      for (uint32_t rank = 0; rank < options->launch.ranks; ++rank) {
        std::puts(
            fmt::format("MUSTER_LOCAL_RANK={} MUSTER_LOCAL_SIZE={} MUSTER_LOCAL_FD=<socket> {}",
                        rank, options->launch.ranks, fmt::join(options->launch.command, " "))
                .c_str());
      }
      return int{kOk};
    };
  });
}

}  // namespace muster::cli

// The `muster` command.
#include <cstdio>
#include <exception>

#include "core/base/log.hpp"
#include "core/cli/command.hpp"

namespace muster::cli {

int fail(const Status& status) {
  std::fprintf(stderr, "muster: %s\n", status.cause().c_str());
  if (!status.remedy().empty()) std::fprintf(stderr, "        %s\n", status.remedy().c_str());
  return status.code() == MUSTER_UNAVAILABLE ? kNothingUsable : kFailed;
}

}  // namespace muster::cli

int main(int argc, char** argv) {
  using namespace muster::cli;
  CLI::App app("muster: collective communication by whichever backend plugin is best for the call");
  app.name("muster");
  app.require_subcommand(0, 1);
  app.set_help_all_flag("--help-all", "Print the help of every verb");
  Context context;
  context.arguments.assign(argv, argv + argc);
  add_list(app, context);
  add_inspect(app, context);
  add_explain(app, context);
  add_config(app, context);
  add_run(app, context);
  add_bench(app, context);
  add_replay(app, context);
  add_doctor(app, context);
  add_version(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error, std::cout, std::cerr);
    return code == 0 ? kOk : kUsage;
  }
  if (!context.run) {
    std::fputs(app.help().c_str(), stdout);
    return kOk;
  }
  try {
    return context.run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "muster: %s\n", error.what());
    return kFailed;
  }
}

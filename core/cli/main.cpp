// The `muster` command.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <new>
#include <string_view>

#include "core/base/names.hpp"
#include "core/cli/command.hpp"

namespace muster::cli {

int fail(const Status& status) {
  std::fprintf(stderr, "muster: %s\n", status.cause().c_str());
  if (!status.remedy().empty()) std::fprintf(stderr, "        %s\n", status.remedy().c_str());
  return status.code() == MUSTER_UNAVAILABLE ? kNothingUsable : kFailed;
}

namespace {

// What CLI11 found wrong, in this command's way of telling; help goes to stdout.
int explain_usage(const CLI::App& app, const CLI::ParseError& error, const std::string& first) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
    app.exit(error, std::cout, std::cerr);
    return kOk;
  }
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands(nullptr)) names.push_back(verb->get_name());
  const bool is_verb = std::find(names.begin(), names.end(), first) != names.end();
  if (is_verb || first.empty() || first.front() == '-') {
    std::fputs(fmt::format("muster: {}\n        muster {}--help says what is expected\n",
                           error.what(), is_verb ? first + " " : "")
                   .c_str(),
               stderr);
    return kUsage;
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  const std::string_view nearest = nearest_name(first, views);
  std::fputs(fmt::format("muster: '{}' is no verb\n        {}\n", first,
                         nearest.empty() ? fmt::format("use one of {}", fmt::join(names, ", "))
                                         : fmt::format("did you mean '{}'?", nearest))
                 .c_str(),
             stderr);
  return kUsage;
}

}  // namespace
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
  add_check(app, context);
  add_explain(app, context);
  add_config(app, context);
  add_run(app, context);
  add_bench(app, context);
  add_replay(app, context);
  add_precompile(app, context);
  add_doctor(app, context);
  add_version(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return explain_usage(app, error, argc > 1 ? argv[1] : "");
  }
  if (!context.run) {
    std::fputs(app.help().c_str(), stdout);
    return kOk;
  }
  try {
    return context.run();
  } catch (const std::bad_alloc&) {
    std::fputs(
        "muster: there is not enough memory for this\n"
        "        use smaller --sizes, fewer ranks or fewer tokens\n",
        stderr);
    return kFailed;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "muster: %s\n", error.what());
    return kFailed;
  }
}

// `muster check plugin FILE`: the conformance suite. It is a program of its own, installed with
// what plugin authors need: the command finds it and becomes it.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "core/base/arguments.hpp"
#include "core/cli/command.hpp"
#include "core/discover/own_place.hpp"

namespace muster::cli {
namespace {

// Beside muster-probe, wherever that may be.
std::string suite_program(std::string& searched) {
  for (const std::string& probe : probe_program_places(own_directory())) {
    const std::string place = std::filesystem::path(probe).parent_path() / "muster-check";
    if (access(place.c_str(), X_OK) == 0) return place;
    searched += (searched.empty() ? "" : ", ") + place;
  }
  return {};
}

int run(const std::vector<std::string>& arguments) {
  std::string searched;
  const std::string program = suite_program(searched);
  if (program.empty()) {
    return fail(Status(MUSTER_NOT_FOUND,
                       fmt::format("the conformance suite was not found at {}", searched),
                       "install muster's development files, which bring muster-check"));
  }
  std::vector<std::string> all = {program, "--command", own_file()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  execv(program.c_str(), pointers_to(all).data());
  return fail(Status(MUSTER_UNAVAILABLE,
                     fmt::format("{} cannot be run: {}", program, std::strerror(errno))));
}

}  // namespace

void add_check(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("check", "Whether a plugin keeps the contract");
  verb->require_subcommand(1);
  CLI::App* plugin = verb->add_subcommand(
      "plugin", "Run the conformance suite on a plugin's file (--help tells the options)");
  // The suite reads its own arguments.
  plugin->prefix_command();
  plugin->set_help_flag();
  plugin->set_help_all_flag();
  plugin->callback([&context, plugin] {
    context.run = [arguments = plugin->remaining()] { return run(arguments); };
  });
}

}  // namespace muster::cli

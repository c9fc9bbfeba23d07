// `muster version`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/json_text.hpp"
#include "core/cli/command.hpp"
#include "muster/entry.h"

namespace muster::cli {

void add_version(CLI::App& app, Context& context) {
  auto json = std::make_shared<bool>(false);
  CLI::App* verb =
      app.add_subcommand("version", "The runtime's version, its ABI range and its build tag");
  verb->add_flag("--json", *json, "Print JSON (muster.version/1)");
  verb->callback([&context, json] {
    context.run = [json] {
      const std::string abi = fmt::format("{}.{}", MUSTER_ABI_MAJOR, MUSTER_ABI_MINOR);
      const std::string oldest = fmt::format("{}.{}", MUSTER_ABI_MAJOR, MUSTER_ABI_OLDEST_MINOR);
      if (*json) {
        const nlohmann::ordered_json out = {{"schema", "muster.version/1"},
                                            {"version", MUSTER_VERSION},
                                            {"abi", abi},
                                            {"oldest_plugin_abi", oldest},
                                            {"build_tag", MUSTER_BUILD_TAG}};
        std::puts(json_text(out, 2).c_str());
      } else {
        std::fputs(fmt::format("muster {}\nplugin abi {}, serves {} and later\nbuild tag {}\n",
                               MUSTER_VERSION, abi, oldest, MUSTER_BUILD_TAG)
                       .c_str(),
                   stdout);
      }
      return int{kOk};
    };
  });
}

}  // namespace muster::cli

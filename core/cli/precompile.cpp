// `muster precompile`: kernels for the very machine, built by its compiler before they are needed.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/base/names.hpp"
#include "core/cli/command.hpp"
#include "core/kernels/native_build.hpp"
#include "core/kernels/registry.hpp"

namespace muster::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  unsigned jobs = 0;
  std::string family;
  std::string algorithm;
  std::string dtype;
  std::string redop;
  std::string march = "native";
  bool json = false;
  bool list = false;
  bool clean = false;
};

const char* state_name(BuildOutcome::State state) {
  static constexpr const char* kNames[] = {"built", "ready", "failed"};
  return kNames[static_cast<size_t>(state)];
}

bool has_redop(const NativeKey& key, muster_redop redop) {
  const muster_kernel_key asked{MUSTER_KERNEL_KEY_SIZE, key.dtype, redop, 0, key.family.c_str(),
                                key.algorithm.c_str(),  nullptr};
  return find_kernel(asked) != nullptr;
}

// Those that the options leave; an empty list was explained.
std::vector<NativeKey> chosen_keys(const Options& options) {
  std::optional<muster_dtype> dtype;
  std::optional<muster_redop> redop;
  if (!options.dtype.empty() && !(dtype = dtype_from_name(options.dtype))) {
    std::fprintf(stderr, "muster: there is no dtype '%s'\n        use one of %s\n",
                 options.dtype.c_str(), all_dtype_names().c_str());
    return {};
  }
  if (!options.redop.empty() && !(redop = redop_from_name(options.redop))) {
    std::fprintf(stderr, "muster: there is no reduce operation '%s'\n        use one of %s\n",
                 options.redop.c_str(), all_redop_names().c_str());
    return {};
  }
  std::vector<NativeKey> keys = native_keys();
  std::erase_if(keys, [&](const NativeKey& key) {
    const bool family = options.family.empty() || key.family == options.family ||
                        key.family.substr(0, key.family.find('/')) == options.family;
    return !family || (!options.algorithm.empty() && key.algorithm != options.algorithm) ||
           (dtype && key.dtype != *dtype) || (redop && !has_redop(key, *redop));
  });
  if (keys.empty())
    std::fputs(
        "muster: no kernel is of that family, algorithm, dtype and operation\n"
        "        muster precompile --list shows them all\n",
        stderr);
  return keys;
}

Json as_json(const std::string& name, const std::string& state, const std::string& text) {
  return {{"kernels", name}, {"state", state}, {"text", text}};
}

void print(bool json, const Json& rows) {
  if (json) {
    const Json out = {{"schema", "muster.precompile/1"}, {"kernels", rows}};
    std::puts(out.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
    return;
  }
  for (const Json& row : rows) {
    std::fputs(fmt::format("{:<38} {:<8} {}\n", row["kernels"].get<std::string>(),
                           row["state"].get<std::string>(), row["text"].get<std::string>())
                   .c_str(),
               stdout);
  }
}

int list(const Options& options, const Config& config) {
  const std::vector<NativeStore::Entry> entries = NativeStore(config).entries();
  Json rows = Json::array();
  for (const NativeKey& key : native_keys()) {
    bool any = false;
    for (const NativeStore::Entry& entry : entries) {
      if (entry.record.name != key.name()) continue;
      any = true;
      rows.push_back(
          as_json(key.name(), entry.stale.empty() ? "ready" : "stale",
                  entry.stale.empty() ? entry.object() : entry.object() + ": " + entry.stale));
    }
    if (!any) rows.push_back(as_json(key.name(), "missing", ""));
  }
  print(options.json, rows);
  return kOk;
}

int clean(const Options& options, const Config& config) {
  Json rows = Json::array();
  for (const std::string& name : NativeStore(config).clean())
    rows.push_back(as_json(name, "removed", ""));
  print(options.json, rows);
  return kOk;
}

int build(const Options& options, const Config& config) {
  const std::vector<NativeKey> keys = chosen_keys(options);
  if (keys.empty()) return kUsage;
  if (config.kernels_build.value == "never") {
    return fail(Status(
        MUSTER_FAILED_PRECONDITION,
        fmt::format("[kernels] build is \"never\" (by {})", config.kernels_build.source.text()),
        "set it to \"explicit\" to build kernels on this machine"));
  }
  const Result<NativeBuild> plan = NativeBuild::plan(config, options.march);
  if (!plan.ok()) {
    fail(plan.status());
    return kNothingUsable;
  }
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  Json rows = Json::array();
  const auto done = [&](const BuildOutcome& outcome) {
    rows.push_back(as_json(outcome.key.name(), state_name(outcome.state), outcome.text));
    rows.back()["seconds"] = outcome.seconds;
    if (options.json) return;
    print(false, Json::array({rows.back()}));
    std::fflush(stdout);
  };
  const std::vector<BuildOutcome> outcomes =
      plan->run(keys, options.jobs == 0 ? cores : options.jobs, -1, done);
  if (options.json) print(true, rows);
  const auto failed = std::count_if(
      outcomes.begin(), outcomes.end(),
      [](const BuildOutcome& outcome) { return outcome.state == BuildOutcome::State::kFailed; });
  if (!options.json) {
    std::fputs(fmt::format("{} of {} ready in {}\n", outcomes.size() - size_t(failed), keys.size(),
                           plan->store().directory())
                   .c_str(),
               stdout);
  }
  return failed == 0 && outcomes.size() == keys.size() ? kOk : kFailed;
}

int run(const Options& options) {
  Result<Config> config = load_config(config_inputs_of_process());
  if (!config.ok()) return fail(config.status());
  if (options.list) return list(options, *config);
  if (options.clean) return clean(options, *config);
  return build(options, *config);
}

}  // namespace

void add_precompile(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand(
      "precompile",
      "Build kernels for this very machine with its compiler (shipped ones serve else)");
  verb->add_option("--jobs,-j", options->jobs, "Processes at a time (default: one per core)")
      ->check(CLI::Range(1, 1024));
  verb->add_option("--family", options->family, "Only this family: host_reduce, host_copy, ...");
  verb->add_option("--algorithm", options->algorithm, "Only this algorithm: cached, streaming");
  verb->add_option("--dtype", options->dtype, "Only this element type");
  verb->add_option("--redop", options->redop,
                   "Only kernels that have this reduce operation (a file has all of a dtype)");
  verb->add_option("--march", options->march, "The target, as the compiler's -march names it")
      ->check(CLI::Validator(
          [](std::string& text) {
            const bool good = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
              return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
            });
            return good ? std::string() : "a target is letters, digits, - and _";
          },
          "TARGET"))
      ->capture_default_str();
  verb->add_flag("--list", options->list, "Say what is ready, missing and stale; build nothing");
  verb->add_flag("--clean", options->clean, "Remove stale files, logs and remains; build nothing");
  verb->add_flag("--json", options->json, "Print JSON (muster.precompile/1)");
  verb->callback([&context, options] { context.run = [options] { return run(*options); }; });
}

}  // namespace muster::cli

// `muster precompile`: kernels for the very machine, built before they are needed: host kernels by
// its compiler, those of devices by the plugins that declare them.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/base/json_text.hpp"
#include "core/base/names.hpp"
#include "core/cli/command.hpp"
#include "core/cli/precompile_variants.hpp"
#include "core/kernels/image_pack.hpp"
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
  std::vector<std::string> architectures;
  unsigned ranks = 0;
  std::string pack;
  bool json = false;
  bool list = false;
  bool clean = false;
};

// Host kernels have neither an architecture of devices nor a number of ranks.
bool devices_only(const Options& options) {
  return !options.architectures.empty() || options.ranks != 0 || !options.pack.empty();
}

VariantFilter filter_of(const Options& options) {
  return {options.family, options.algorithm, options.dtype, options.ranks, options.architectures};
}

const char* state_name(BuildOutcome::State state) {
  static constexpr const char* kNames[] = {"built", "ready", "failed"};
  return kNames[static_cast<size_t>(state)];
}

bool has_redop(const NativeKey& key, muster_redop redop) {
  const muster_kernel_key asked{MUSTER_KERNEL_KEY_SIZE, key.dtype, redop, 0, key.family.c_str(),
                                key.algorithm.c_str(),  nullptr};
  return find_kernel(asked) != nullptr;
}

// False: the words of the options were explained.
bool good_words(const Options& options) {
  if (!options.dtype.empty() && !dtype_from_name(options.dtype)) {
    std::fprintf(stderr, "muster: there is no dtype '%s'\n        use one of %s\n",
                 options.dtype.c_str(), all_dtype_names().c_str());
    return false;
  }
  if (!options.redop.empty() && !redop_from_name(options.redop)) {
    std::fprintf(stderr, "muster: there is no reduce operation '%s'\n        use one of %s\n",
                 options.redop.c_str(), all_redop_names().c_str());
    return false;
  }
  return true;
}

// The host kernels that the options leave.
std::vector<NativeKey> chosen_keys(const Options& options) {
  if (devices_only(options)) return {};
  const std::optional<muster_dtype> dtype = dtype_from_name(options.dtype);
  const std::optional<muster_redop> redop = redop_from_name(options.redop);
  std::vector<NativeKey> keys = native_keys();
  std::erase_if(keys, [&](const NativeKey& key) {
    const bool family = options.family.empty() || key.family == options.family ||
                        key.family.substr(0, key.family.find('/')) == options.family;
    return !family || (!options.algorithm.empty() && key.algorithm != options.algorithm) ||
           (dtype && key.dtype != *dtype) || (redop && !has_redop(key, *redop));
  });
  return keys;
}

Json as_json(const std::string& name, const std::string& state, const std::string& text) {
  return {{"kernels", name}, {"state", state}, {"text", text}};
}

void print(bool json, const Json& rows) {
  if (json) {
    const Json out = {{"schema", "muster.precompile/1"}, {"kernels", rows}};
    std::puts(json_text(out, 2).c_str());
    return;
  }
  for (const Json& row : rows) {
    const std::string time =
        row.contains("seconds") ? fmt::format("{:6.2f} s  ", row["seconds"].get<double>()) : "";
    std::fputs(fmt::format("{:<38} {:<8} {}{}\n", row["kernels"].get<std::string>(),
                           row["state"].get<std::string>(), time, row["text"].get<std::string>())
                   .c_str(),
               stdout);
  }
}

int list(const Options& options, const Config& config, const PrecompiledVariants& variants) {
  const std::vector<NativeStore::Entry> entries = NativeStore(config).entries();
  Json rows = Json::array();
  for (const NativeKey& key : chosen_keys(options)) {
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
  for (const PrecompiledVariants::Row& row : variants.list())
    rows.push_back(as_json(row.name, row.state, row.text));
  print(options.json, rows);
  return kOk;
}

int clean(const Options& options, const Config& config, const PrecompiledVariants& variants) {
  Json rows = Json::array();
  for (const std::string& name : NativeStore(config).clean())
    rows.push_back(as_json(name, "removed", ""));
  for (const std::string& name : variants.clean()) rows.push_back(as_json(name, "removed", ""));
  print(options.json, rows);
  return kOk;
}

// The rows of a build as they come, and how many of them are ready.
class Outcomes {
 public:
  explicit Outcomes(bool json) : json_(json) {}

  void add(const BuildOutcome& outcome) {
    rows_.push_back(as_json(outcome.name, state_name(outcome.state), outcome.text));
    rows_.back()["seconds"] = outcome.seconds;
    if (outcome.state != BuildOutcome::State::kFailed) ++ready_;
    if (outcome.state == BuildOutcome::State::kBuilt) ++built_;
    if (json_) return;
    print(false, Json::array({rows_.back()}));
    std::fflush(stdout);
  }
  size_t ready() const { return ready_; }
  size_t built() const { return built_; }
  const Json& rows() const { return rows_; }

 private:
  bool json_;
  Json rows_ = Json::array();
  size_t ready_ = 0;
  size_t built_ = 0;
};

// The exit code; of what cannot even be begun, after it was explained.
int build_host_kernels(const Options& options, const Config& config,
                       const std::vector<NativeKey>& keys, Outcomes& outcomes) {
  const Result<NativeBuild> plan = NativeBuild::plan(config, options.march);
  if (!plan.ok()) {
    fail(plan.status());
    return kNothingUsable;
  }
  plan->run(keys, options.jobs, -1, [&](const BuildOutcome& outcome) { outcomes.add(outcome); });
  return kOk;
}

int build(const Options& options, const Config& config, const PrecompiledVariants& variants) {
  const std::vector<NativeKey> keys = chosen_keys(options);
  if (keys.empty() && variants.empty()) {
    std::fputs(
        "muster: no kernel is of that family, algorithm, dtype, operation and architecture\n"
        "        muster precompile --list shows them all; without a device, name an --arch\n",
        stderr);
    return kUsage;
  }
  if (config.kernels_build.value == "never") {
    return fail(Status(
        MUSTER_FAILED_PRECONDITION,
        fmt::format("[kernels] build is \"never\" (by {})", config.kernels_build.source.text()),
        "set it to \"explicit\" to build kernels on this machine"));
  }
  if (!options.pack.empty()) {
    if (const Status status = check_pack_name(options.pack); !status.ok()) return fail(status);
  }
  const auto began = std::chrono::steady_clock::now();
  Outcomes outcomes(options.json);
  variants.build(options.jobs, [&](const BuildOutcome& outcome) { outcomes.add(outcome); });
  int code = keys.empty() ? kOk : build_host_kernels(options, config, keys, outcomes);
  const bool whole = outcomes.ready() == keys.size() + variants.size();
  if (code == kOk && !whole) code = kFailed;
  if (whole && !options.pack.empty()) {
    if (const Status status = variants.pack(options.pack); !status.ok()) code = fail(status);
  }
  if (options.json) print(true, outcomes.rows());
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  if (!options.json) {
    std::fputs(fmt::format("{} of {} ready, {} of them new, in {:.1f} s{}\n", outcomes.ready(),
                           keys.size() + variants.size(), outcomes.built(), seconds,
                           options.pack.empty() || code != kOk ? "" : "; packed in " + options.pack)
                   .c_str(),
               stdout);
  }
  return code;
}

int run(Options options) {
  if (!good_words(options)) return kUsage;
  if (options.jobs == 0) options.jobs = std::max(1u, std::thread::hardware_concurrency());
  Result<std::unique_ptr<Survey>> survey = take_survey(true);
  if (!survey.ok()) return fail(survey.status());
  const PrecompiledVariants variants(**survey, filter_of(options));
  for (const std::string& fault : variants.faults())
    std::fputs(fmt::format("muster: {}\n", fault).c_str(), stderr);
  const Config& config = (*survey)->config;
  if (options.list) return list(options, config, variants);
  if (options.clean) return clean(options, config, variants);
  return build(options, config, variants);
}

}  // namespace

void add_precompile(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand(
      "precompile",
      "Build kernels for this very machine: for its processor and its devices (shipped ones serve "
      "else)");
  verb->add_option("--jobs,-j", options->jobs, "Processes at a time (default: one per core)")
      ->check(CLI::Range(1, 1024));
  verb->add_option("--family", options->family, "Only this family: host_reduce, host_copy, ...");
  verb->add_option("--algorithm", options->algorithm,
                   "Only this algorithm: cached, streaming, reductions, ...");
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
  verb->add_option("--arch", options->architectures,
                   "Only kernels of devices, for these architectures: sm_90,... (default: of the "
                   "devices here); no device is needed")
      ->delimiter(',')
      ->check(CLI::Validator(
          [](std::string& text) {
            const bool good =
                !text.empty() && text.size() < 32 &&
                std::all_of(text.begin(), text.end(), [](char c) {
                  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
                });
            return good ? std::string() : "an architecture is letters, digits, - and _";
          },
          "NAME"));
  verb->add_option("--ranks", options->ranks, "Only kernels of devices, for groups of this size")
      ->check(CLI::Range(1, 1024));
  verb->add_option("--pack", options->pack,
                   "Also put the chosen kernels of devices into this file: a plugin for machines "
                   "that cannot build them (NAME.so)");
  verb->add_flag("--list", options->list, "Say what is ready, missing and stale; build nothing");
  verb->add_flag("--clean", options->clean, "Remove stale files, logs and remains; build nothing");
  verb->add_flag("--json", options->json, "Print JSON (muster.precompile/1)");
  verb->callback([&context, options] { context.run = [options] { return run(*options); }; });
}

}  // namespace muster::cli

// muster-check: the conformance suite, as `muster check plugin` starts it.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "tests/kit/check/catalogue.hpp"
#include "tests/kit/check/child.hpp"
#include "tests/kit/check/judge.hpp"
#include "tests/kit/check/report.hpp"
#include "tests/kit/check/run_case.hpp"

namespace muster::check {
namespace {

namespace fs = std::filesystem;

constexpr const char* kJudged = "handshake.judged";
constexpr const char* kUniqueId = "handshake.unique_id";
constexpr const char* kAgreed = "offers.agreed";

struct Options {
  std::string plugin;
  std::vector<std::string> only;
  std::vector<std::string> expected;
  std::vector<std::string> options;
  bool json = false;
  bool in_process = false;
  bool list = false;
  std::vector<std::string> rank_of;
};

void add_options(CLI::App& app, Options& options, Setup& setup) {
  app.add_option("plugin", options.plugin, "The plugin's file");
  app.add_option("--only", options.only, "These suites or cases only: SUITE or SUITE.CASE")
      ->delimiter(',');
  app.add_option("--seed", setup.seed, "Of all random data; without it one is drawn");
  app.add_option("--ranks,-n", setup.ranks, "How many ranks")
      ->check(CLI::Range(2, 64))
      ->capture_default_str();
  app.add_option("--option", options.options, "KEY=VALUE, an option of the backend");
  app.add_option("--config", setup.config, "One more configuration file");
  app.add_option("--timeout-ms", setup.limit_ms, "Time for one case")
      ->check(CLI::Range(100, 3600000))
      ->capture_default_str();
  app.add_option("--probe-ms", setup.probe_ms, "Time for the plugin's probe")
      ->check(CLI::Range(1, 3600000))
      ->capture_default_str();
  app.add_option("--expect-failure", options.expected,
                 "Cases that are known to fail; one that is ok is then a failure")
      ->delimiter(',');
  app.add_flag("--in-process", options.in_process,
               "Ranks as threads of this process, for a debugger");
  app.add_flag("--json", options.json, "Print JSON (muster.check/1)");
  app.add_flag("--list", options.list, "Print the cases and what each is about");
  app.add_option("--command", setup.command, "The muster command")->group("");
  app.add_option("--rank-of", options.rank_of, "")->expected(2)->group("");
}

std::vector<std::string> names() {
  std::vector<std::string> all = {kJudged, kUniqueId};
  for (const Case& c : catalogue()) all.push_back(c.name);
  return all;
}

int list_cases() {
  fmt::print("{:<36} discovery would use the file\n{:<36} no other file has its id\n", kJudged,
             kUniqueId);
  for (const Case& c : catalogue()) fmt::print("{:<36} {}\n", c.name, c.what);
  return 0;
}

bool selected(const std::vector<std::string>& only, const std::string& name) {
  return only.empty() || std::any_of(only.begin(), only.end(), [&](const std::string& one) {
           return name == one || name.rfind(one + ".", 0) == 0;
         });
}

// The first of `given` that names neither a suite nor a case; "" for none.
std::string unknown(const std::vector<std::string>& given) {
  const std::vector<std::string> all = names();
  for (const std::string& one : given) {
    const bool known = std::any_of(all.begin(), all.end(),
                                   [&](const std::string& name) { return selected({one}, name); });
    if (!known) return one;
  }
  return {};
}

int usage(const std::string& cause, const std::string& remedy) {
  fmt::print(stderr, "muster: {}\n        {}\n", cause, remedy);
  return 2;
}

// A directory that ends with the run.
class Root {
 public:
  explicit Root(Setup& setup) {
    std::string pattern = fs::temp_directory_path() / "muster-check.XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no directory for the run");
    setup.root = path_ = pattern;
    fs::create_directory(setup.plugin_directory());
    fs::create_symlink(setup.plugin, fs::path(setup.plugin_directory()) / "plugin.so");
  }
  ~Root() {
    std::error_code error;
    fs::remove_all(path_, error);
  }
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;

 private:
  std::string path_;
};

void run_cases(const Options& options, const Setup& setup, Report& report) {
  const std::vector<Case>& all = catalogue();
  std::string silent;  // why nothing of ranks is offered
  for (size_t i = 0; i < all.size(); ++i) {
    const Case& c = all[i];
    if (!selected(options.only, c.name)) continue;
    if (!silent.empty() && c.where != Where::kAlone) {
      report.add(c.name, {Outcome::kNotOffered, silent, {}}, 0);
      continue;
    }
    const auto before = std::chrono::steady_clock::now();
    const Verdict verdict =
        options.in_process ? run_in_process(c, setup) : run_in_children(c, setup);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - before;
    report.add(c.name, verdict, took.count());
    if (c.name == kAgreed && verdict.outcome == Outcome::kNotOffered) silent = verdict.detail;
    if (!c.decides || !verdict.red()) continue;
    std::vector<std::string> left;
    for (size_t j = i + 1; j < all.size(); ++j) {
      if (selected(options.only, all[j].name)) left.push_back(all[j].name);
    }
    return report.leave_out(std::move(left), c.name);
  }
}

int check(const Options& options, Setup& setup) {
  if (!options.in_process) end_with_children();
  const Root root(setup);
  const Judgement judgement = judge(setup);
  setup.id = judgement.id;
  setup.mpirun = judgement.own_launcher && !options.in_process;
  setup.write();
  Report report(setup, judgement.version, options.json, options.expected);
  if (selected(options.only, kJudged) || judgement.judged.red()) {
    report.add(kJudged, judgement.judged, 0);
  }
  if (judgement.judged.red()) {
    std::vector<std::string> left = names();
    std::erase_if(left, [&](const std::string& name) {
      return name == kJudged || !selected(options.only, name);
    });
    report.leave_out(std::move(left), kJudged);
    return report.end();
  }
  if (selected(options.only, kUniqueId)) report.add(kUniqueId, judgement.unique_id, 0);
  run_cases(options, setup, report);
  return report.end();
}

int run(int argc, char** argv) {
  Options options;
  Setup setup;
  CLI::App app("Whether a plugin keeps the contract: the conformance suite");
  app.name("muster check plugin");
  add_options(app, options, setup);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return usage(error.what(), "muster check plugin --help says what is expected");
  }
  if (!options.rank_of.empty()) return rank_main(options.rank_of[0], options.rank_of[1]);
  if (options.list) return list_cases();
  if (options.plugin.empty()) return usage("no plugin is named", "muster check plugin FILE.so");
  std::error_code error;
  setup.plugin = fs::canonical(options.plugin, error);
  if (error) return usage(options.plugin + ": " + error.message(), "give a file's path");
  for (const auto* const given : {&options.only, &options.expected}) {
    if (const std::string name = unknown(*given); !name.empty()) {
      return usage("no suite or case is named '" + name + "'", "muster check plugin --list");
    }
  }
  for (const std::string& option : options.options) {
    const size_t equals = option.find('=');
    if (equals == std::string::npos) {
      return usage("--option " + option + " is not KEY=VALUE", "--option 'limit=4096'");
    }
    setup.options.emplace_back(option.substr(0, equals), option.substr(equals + 1));
  }
  if (!setup.config.empty()) setup.config = fs::absolute(setup.config);
  if (setup.command.empty()) setup.command = "muster";
  if (app.count("--seed") == 0) setup.seed = std::random_device()();
  return check(options, setup);
}

}  // namespace
}  // namespace muster::check

int main(int argc, char** argv) {
  try {
    return muster::check::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "muster: %s\n", error.what());
    return 1;
  }
}

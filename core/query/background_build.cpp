#include "core/query/background_build.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

#include "core/base/arguments.hpp"
#include "core/base/unique_fd.hpp"
#include "core/discover/judgement.hpp"
#include "core/discover/own_place.hpp"
#include "core/kernels/native_build.hpp"
#include "core/query/images.hpp"
#include "core/query/variant_plugins.hpp"

namespace muster {
namespace {

std::vector<std::string> helper_environment() {
  std::vector<std::string> kept;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text = *variable;
    if (text.rfind("LD_PRELOAD=", 0) != 0) kept.push_back(text);
  }
  return kept;
}

std::vector<NativeKey> missing_keys(const NativeBuild& build) {
  std::vector<NativeKey> missing;
  const std::vector<NativeStore::Entry> entries = build.store().entries();
  for (const NativeKey& key : native_keys()) {
    const std::string base =
        build.store().base_of(key.name(), build.march(), build.digest_of_key(key));
    bool there = access((base + ".log").c_str(), F_OK) == 0;  // failed before: not again
    for (const NativeStore::Entry& entry : entries)
      there = there || (entry.base == base && entry.stale.empty());
    if (!there) missing.push_back(key);
  }
  return missing;
}

void build_missing_variants(const Config& config, const std::vector<std::string>& files,
                            unsigned jobs) {
  std::vector<FoundPlugin> found;
  for (const std::string& file : files) {
    // The runtime has judged trust, versions and configuration; here only the record is read again.
    found.push_back(judge_plugin_file(file, true, nullptr, Config(), TrustPolicy()).found);
    found.back().path = file;
    found.back().state = PluginState::kUsable;
  }
  Records records;
  const VariantPlugins plugins(found, config, records, nullptr);
  const ImageStore store = image_store(config);
  std::vector<std::string> faults;
  std::vector<PlannedVariant> missing = plugins.plan({}, faults);
  std::erase_if(missing, [&](const PlannedVariant& planned) {
    const ImageKey key = planned.variant.image_key();
    return key.toolchain.empty() || store.find(key) || store.failed_before(key);
  });
  build_variants(store, missing, jobs, 0, [](const BuildOutcome&) {});
}

bool asked_to_stop() {
  pollfd parent{0, POLLIN, 0};
  return poll(&parent, 1, 0) > 0;
}

}  // namespace

std::string start_background_build(const Config& config,
                                   const std::vector<std::string>& variant_plugins, int* out_fd) {
  std::string helper;
  for (const std::string& place : probe_program_places(own_directory())) {
    if (helper.empty() && access(place.c_str(), X_OK) == 0) helper = place;
  }
  if (helper.empty()) return "muster-probe was not found, kernels are not built";
  const Result<Compiler> compiler = find_compiler(config);
  if (!compiler.ok() && variant_plugins.empty()) return compiler.status().cause();
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fmt::format("no pipe: {}", std::strerror(errno));
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  std::vector<std::string> arguments = {helper, kBackgroundBuild, config.plugins_cache_dir.value,
                                        config.kernels_compiler.value};
  arguments.insert(arguments.end(), variant_plugins.begin(), variant_plugins.end());
  const std::vector<std::string> environment = helper_environment();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, read_end.get(), 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int error = posix_spawn(&child, helper.c_str(), &actions, nullptr,
                                pointers_to(arguments).data(), pointers_to(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fmt::format("{} cannot be started: {}", helper, std::strerror(error));
  // It ends as soon as its own child runs.
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  *out_fd = write_end.release();
  return {};
}

int background_build_main(int argc, char** argv) {
  if (argc < 4) return 2;
  // What the program left open must be closed when the program closes it.
  close_range(STDERR_FILENO + 1, ~0u, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (const pid_t child = fork(); child != 0) return child < 0 ? 1 : 0;
  setsid();
  setpriority(PRIO_PROCESS, 0, 19);
  Config config;
  config.plugins_cache_dir.value = argv[2];
  config.kernels_compiler.value = argv[3];
  const NativeStore natives(config);
  if (!natives.prepare().empty()) return 1;
  // One builder per machine and user is enough.
  const UniqueFd lock(
      open((natives.directory() + "/background.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid() || flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return 0;
  const unsigned cores = std::thread::hardware_concurrency();
  const unsigned jobs = cores > 2 ? cores / 2 : 1;
  build_missing_variants(config, std::vector<std::string>(argv + 4, argv + argc), jobs);
  if (asked_to_stop()) return 0;
  const Result<NativeBuild> build = NativeBuild::plan(config, "native");
  if (!build.ok()) return 1;
  build->run(missing_keys(*build), jobs, 0, [](const BuildOutcome&) {});
  return 0;
}

}  // namespace muster

#include "core/kernels/native_build.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

#include "core/base/arguments.hpp"
#include "core/base/digest.hpp"
#include "core/base/names.hpp"
#include "core/base/unique_fd.hpp"
#include "core/discover/own_place.hpp"
#include "core/discover/probe_host.hpp"

namespace muster {
namespace {

constexpr int kNativeScore = 50;  // above every shipped pack

std::string whole_file(const std::string& path) {
  std::ifstream stream(path);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

}  // namespace

Result<std::string> native_sources() {
  std::string searched;
  for (const std::string& place : kernel_source_places(own_directory())) {
    const std::string digest = whole_file(place + "/digest");
    if (digest.empty()) {
      searched += (searched.empty() ? "" : ", ") + place;
      continue;
    }
    if (digest.substr(0, digest.find('\n')) == native_sources_digest()) return place;
    return Status(MUSTER_MISMATCH,
                  fmt::format("the kernel sources in {} belong to another version", place),
                  "install muster anew");
  }
  return Status(MUSTER_NOT_FOUND, fmt::format("the kernel sources were not found in {}", searched),
                "install muster's share/muster/kernels");
}

Result<NativeBuild> NativeBuild::plan(const Config& config, const std::string& march) {
  Result<Compiler> compiler = find_compiler(config);
  if (!compiler.ok()) return compiler.take_status();
  Result<std::string> sources = native_sources();
  if (!sources.ok()) return sources.take_status();
  Result<std::string> target = describe_compiler(*compiler, march);
  if (!target.ok()) return target.take_status();
  NativeBuild build(config, std::move(*compiler), std::move(*sources), march);
  if (const std::string fault = build.store_.prepare(); !fault.empty())
    return Status(MUSTER_UNAVAILABLE, fault, "set plugins.cache_dir to a directory of your own");
  build.basis_ = fmt::format("{}\n{}\n{}\n{}", native_sources_digest(), MUSTER_HOST_KERNEL_FLAGS,
                             march, *target);
  return build;
}

std::string NativeBuild::digest_of_key(const NativeKey& key) const {
  return digest_of(basis_ + "\n" + key.name()).text();
}

// "" or what went wrong; then the log is kept.
std::string NativeBuild::compile(const NativeKey& key, const std::string& digest,
                                 const std::string& object, const std::string& log) const {
  std::vector<std::string> command = compiler_.command;
  for (const std::string& flag : words_of(MUSTER_HOST_KERNEL_FLAGS)) command.push_back(flag);
  const auto text = [](const char* name, const std::string& value) {
    return fmt::format("-D{}=\"{}\"", name, value);
  };
  for (const std::string& argument :
       {std::string("-std=c++17"),
        "-march=" + march_,
        std::string("-fPIC"),
        std::string("-shared"),
        std::string("-fvisibility=hidden"),
        "-I" + sources_ + "/include",
        "-I" + sources_,
        text("MUSTER_KERNELS_FAMILY", key.family),
        text("MUSTER_KERNELS_ALGORITHM", key.algorithm),
        fmt::format("-DMUSTER_KERNELS_DTYPE={}", key.dtype),
        text("MUSTER_VERSION", MUSTER_VERSION),
        text("MUSTER_PACK_ID", NativeStore::id_of(key.name(), digest)),
        text("MUSTER_PACK_ARCHITECTURE", march_),
        text("MUSTER_PACK_DIGEST", digest),
        fmt::format("-DMUSTER_PACK_SCORE={}", kNativeScore),
        "-Wl,--version-script=" + sources_ + "/plugin.version",
        std::string("-Wl,-z,now"),
        std::string("-Wl,--as-needed"),
        std::string("-Wl,--build-id"),
        sources_ + "/native.cpp",
        std::string("-o"),
        object}) {
    command.push_back(argument);
  }
  const Status status = run_into_file(command, log);
  if (status.ok()) return {};
  std::ofstream(log, std::ios::app)
      << "\ncommand: " << fmt::format("{}", fmt::join(command, " ")) << "\n";
  return status.cause();
}

BuildOutcome NativeBuild::build(const NativeKey& key) const {
  using State = BuildOutcome::State;
  const auto began = std::chrono::steady_clock::now();
  BuildOutcome outcome{key.name()};
  const auto end = [&](State state, std::string text) {
    outcome.state = state;
    outcome.text = std::move(text);
    outcome.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    return outcome;
  };
  const std::string digest = digest_of_key(key);
  const std::string base = store_.base_of(key.name(), march_, digest);
  // Dropped by the system when this process ends, in whatever way.
  const UniqueFd lock(open((base + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid()) {
    return end(State::kFailed, fmt::format("{}.lock: {}", base, std::strerror(errno)));
  }
  while (flock(lock.get(), LOCK_EX) != 0 && errno == EINTR) {
  }
  const std::string object = base + ".so";
  if (const std::optional<NativeRecord> known = store_.read(base);
      known && known->digest == digest && known->compiler == compiler_.stamp &&
      known->file == native_file_stamp(object)) {
    return end(State::kReady, object);
  }
  // Under its name only once it tells of a failure: what was ended in between leaves no verdict.
  const std::string log = base + ".log";
  const std::string fresh_log = fmt::format("{}.tmp-{}.log", base, getpid());
  const std::string fresh = fmt::format("{}.tmp-{}.so", base, getpid());
  const auto give_up = [&](const std::string& why) {
    unlink(fresh.c_str());
    rename(fresh_log.c_str(), log.c_str());
    return end(State::kFailed, fmt::format("{}; the log is {}", why, log));
  };
  if (const std::string fault = compile(key, digest, fresh, fresh_log); !fault.empty())
    return give_up(fault);
  chmod(fresh.c_str(), 0700);
  const FoundPlugin judged = judge_file(fresh, config_);
  const ProbeReport probed = judged.state == PluginState::kUsable
                                 ? open_and_probe(judged, [](ProbeStep) {})
                                 : ProbeReport{ProbeVerdict::kLoadFailed, judged.reason, true};
  if (!probed.kernels || probed.kernels->ready.empty() || !probed.kernels->faults.empty()) {
    std::ofstream(fresh_log, std::ios::app)
        << probed.reason << "\n"
        << (probed.kernels ? fmt::format("{}", fmt::join(probed.kernels->faults, "\n")) : "")
        << "\n";
    return give_up("what was built fails its known-answer test");
  }
  unlink(fresh_log.c_str());
  unlink(log.c_str());
  if (rename(fresh.c_str(), object.c_str()) != 0) {
    const int error = errno;
    unlink(fresh.c_str());
    return end(State::kFailed, fmt::format("{}: {}", object, std::strerror(error)));
  }
  const NativeRecord record{key.name(),      march_,
                            digest,          native_sources_digest(),
                            compiler_.stamp, native_file_stamp(object),
                            *probed.kernels};
  if (!store_.write(base, record))
    return end(State::kFailed, fmt::format("the record of {} cannot be written", object));
  return end(State::kBuilt, object);
}

std::vector<BuildOutcome> NativeBuild::run(
    const std::vector<NativeKey>& keys, unsigned jobs, int stop_fd,
    const std::function<void(const BuildOutcome&)>& done) const {
  std::vector<std::string> names;
  for (const NativeKey& key : keys) names.push_back(key.name());
  return run_builds(
      names, jobs, stop_fd, [&](size_t i) { return build(keys[i]); }, done);
}

}  // namespace muster

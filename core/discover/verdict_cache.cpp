#include "core/discover/verdict_cache.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/base/json_text.hpp"

namespace muster {
namespace {

using Json = nlohmann::json;

constexpr int kFormat = 1;
constexpr std::chrono::milliseconds kLockPause{5};
constexpr uint64_t kLockGraceMs = 1000;

int64_t mtime_ns(const struct stat& status) {
  return int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

// What identifies the present content of a path.
std::string stamp_of(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return "missing";
  return fmt::format("{}:{}:{}", status.st_ino, status.st_size, mtime_ns(status));
}

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "unset" : std::string("=") + value;
}

Json file_key(const Judged& plugin) {
  return {{"path", plugin.found.path},
          {"size", static_cast<int64_t>(plugin.status.st_size)},
          {"mtime_ns", mtime_ns(plugin.status)},
          {"inode", static_cast<uint64_t>(plugin.status.st_ino)},
          {"build_id", plugin.build_id}};
}

Json machine_key(const Judged& plugin, const std::string& boot_id) {
  Json key = {{"boot_id", boot_id}, {"env", Json::object()}, {"files", Json::object()}};
  for (const std::string& name : plugin.found.entry.probe_env) {
    key["env"][name] = variable(name.c_str());
  }
  for (const std::string& path : plugin.found.entry.probe_files)
    key["files"][path] = stamp_of(path);
  return key;
}

// What decides besides the file whether it can be loaded.
Json loader_key(const Judged& plugin) {
  const std::string& path = plugin.found.path;
  return {{"LD_LIBRARY_PATH", variable("LD_LIBRARY_PATH")},
          {"ld.so.cache", stamp_of("/etc/ld.so.cache")},
          {"directory", stamp_of(path.substr(0, path.rfind('/')))}};
}

bool holds_until_the_file_changes(ProbeVerdict verdict) {
  return verdict == ProbeVerdict::kCrashed || verdict == ProbeVerdict::kHung;
}

}  // namespace

VerdictCache::VerdictCache(const Config& config)
    : directory_(config),
      boot_id_(read_small_file("/proc/sys/kernel/random/boot_id")),
      budget_ms_(config.plugins_probe_timeout_ms.value) {
  while (!boot_id_.empty() && boot_id_.back() == '\n') boot_id_.pop_back();
}

std::string VerdictCache::file_of(const Judged& plugin) const {
  return directory_.file_of(plugin.found.path, ".json");
}

std::string VerdictCache::identity_of(const Judged& plugin) const {
  return json_text(Json({file_key(plugin), machine_key(plugin, boot_id_), loader_key(plugin)}));
}

std::optional<ProbeReport> VerdictCache::load(const Judged& plugin) const {
  const std::string file = file_of(plugin);
  if (file.empty()) return std::nullopt;
  const std::string text = read_small_file(file);
  if (text.empty()) return std::nullopt;
  try {
    const Json json = parse_json(text);
    if (json.at("format") != kFormat || json.at("muster") != MUSTER_VERSION ||
        json.at("file") != file_key(plugin)) {
      return std::nullopt;
    }
    std::optional<ProbeReport> report = read_report(json.at("report").get<std::string>());
    if (!report) return std::nullopt;
    if (holds_until_the_file_changes(report->verdict)) {
      // A larger budget than the one it did not keep to deserves another look.
      const bool more_time = report->verdict == ProbeVerdict::kHung &&
                             json.at("budget_ms").get<uint64_t>() < budget_ms_;
      return more_time ? std::nullopt : report;
    }
    if (json.at("machine") != machine_key(plugin, boot_id_)) return std::nullopt;
    if (report->verdict == ProbeVerdict::kLoadFailed && json.at("loader") != loader_key(plugin)) {
      return std::nullopt;
    }
    return report;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

void VerdictCache::store(const Judged& plugin, const ProbeReport& report) const {
  if (report.verdict == ProbeVerdict::kNotProbed) return;
  const Json json = {{"format", kFormat},
                     {"muster", MUSTER_VERSION},
                     {"file", file_key(plugin)},
                     {"machine", machine_key(plugin, boot_id_)},
                     {"loader", loader_key(plugin)},
                     {"budget_ms", budget_ms_},
                     {"report", write_report(report)}};
  const std::string text = json_text(json, 1) + "\n";
  directory_.replace(file_of(plugin), text);
}

VerdictCache::Lock::Lock(const VerdictCache& cache, const Judged& plugin) {
  if (!cache.directory_.prepare()) return;
  const std::string file = cache.file_of(plugin) + ".lock";
  fd_ = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd_ < 0) return;
  const auto until =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(cache.budget_ms_ + kLockGraceMs);
  while (flock(fd_, LOCK_EX | LOCK_NB) != 0 && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(kLockPause);
  }
}

VerdictCache::Lock::~Lock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace muster

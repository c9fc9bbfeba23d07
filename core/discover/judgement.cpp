#include "core/discover/judgement.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "core/base/unique_fd.hpp"
#include "core/discover/elf_peek.hpp"
#include "core/discover/entry_record.hpp"

namespace muster {
namespace {

void refuse(FoundPlugin& found, std::string reason) {
  found.state = PluginState::kRefused;
  found.stage = Stage::kDiscover;
  found.reason = std::move(reason);
}

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

// The four parts of a build tag; false when it has another number.
bool split_tag(std::string_view tag, std::array<std::string_view, 4>& parts) {
  size_t n = 0;
  while (n < parts.size()) {
    const size_t slash = tag.find('/');
    parts[n++] = tag.substr(0, slash);
    if (slash == std::string_view::npos) return n == parts.size();
    tag.remove_prefix(slash + 1);
  }
  return false;
}

// What is the same for files and for entries in memory, once the record was decoded.
void judge_entry(Judged& judged, const Config& config) {
  FoundPlugin& found = judged.found;
  std::string reason = judge_abi(found.entry);
  if (reason.empty()) {
    reason = judge_build_tag(found.entry.build_tag, MUSTER_BUILD_TAG, judged.note);
  }
  if (!reason.empty()) return refuse(found, std::move(reason));
  const auto settings = config.backends.find(found.entry.id);
  if (settings != config.backends.end() && settings->second.mode &&
      settings->second.mode->value == Mode::kOff) {
    found.state = PluginState::kOff;
    found.reason = fmt::format("switched off: backend.{}.mode = \"off\"", found.entry.id);
    found.source = settings->second.mode->source.text();
    return;
  }
  found.state = PluginState::kUsable;
}

}  // namespace

const char* plugin_state_name(PluginState state) {
  switch (state) {
    case PluginState::kUsable:
      return "usable";
    case PluginState::kUnprobed:
      return "unprobed";
    case PluginState::kOff:
      return "off";
    case PluginState::kRefused:
      return "refused";
    case PluginState::kUnavailable:
      return "unavailable";
    case PluginState::kQuarantined:
      return "quarantined";
  }
  return "unknown";
}

std::string judge_abi(const EntryRecord& entry, const AbiRange& runtime) {
  const std::string ranges = fmt::format(
      "{} {} of {} speaks ABI {}.{} and needs a runtime of {}.{} or later, this runtime serves "
      "plugins of {}.{} to {}.{}",
      entry.id, entry.version, entry.vendor, entry.abi_major, entry.abi_minor, entry.abi_major,
      entry.min_host_minor, runtime.major, runtime.oldest_minor, runtime.major, runtime.minor);
  const bool same_major = entry.abi_major == runtime.major;
  if (entry.abi_major < runtime.major || (same_major && entry.abi_minor < runtime.oldest_minor)) {
    return "ABI too old: " + ranges;
  }
  if (!same_major || entry.min_host_minor > runtime.minor) return "ABI too new: " + ranges;
  if (!MUSTER_HAS_FIELD(&entry, muster_entry, get_interface)) {
    return fmt::format("malformed entry record: it declares {} bytes, ABI {}.{} has {}",
                       entry.struct_size, runtime.major, runtime.minor, MUSTER_PLUGIN_ENTRY_SIZE);
  }
  return {};
}

std::string judge_build_tag(const std::string& plugin, const std::string& runtime,
                            std::string& note) {
  std::array<std::string_view, 4> theirs;
  std::array<std::string_view, 4> ours;
  if (!split_tag(plugin, theirs) || !split_tag(runtime, ours)) {
    return fmt::format(
        "build tag mismatch: '{}' is not compiler/libc/sanitizer/device-runtime, this runtime is "
        "'{}'",
        plugin, runtime);
  }
  if (theirs[2] != ours[2]) {
    return fmt::format("build tag mismatch: sanitizer {}, this runtime has {}", theirs[2], ours[2]);
  }
  if (theirs[3] != ours[3] && theirs[3] != "none" && ours[3] != "none") {
    return fmt::format("build tag mismatch: device runtime {}, this runtime has {}", theirs[3],
                       ours[3]);
  }
  if (theirs[0] != ours[0] || theirs[1] != ours[1]) {
    note = fmt::format("built with {}/{}, the runtime with {}/{}", theirs[0], theirs[1], ours[0],
                       ours[1]);
  }
  return {};
}

Judged judge_plugin_file(const std::string& path, bool is_link, const struct stat* listed_in,
                         const Config& config, const TrustPolicy& trust) {
  Judged judged;
  FoundPlugin& found = judged.found;
  found.path = path;
  if (is_link) {
    char* const canonical = realpath(path.c_str(), nullptr);
    if (canonical == nullptr) {
      const int error = errno;
      struct stat status {};
      const bool dangling = lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
      refuse(found, fmt::format("{}: {}", dangling ? "a dangling link" : "the file cannot be found",
                                std::strerror(error)));
      return judged;
    }
    found.path = canonical;
    std::free(canonical);
  }
  // Not blocking: a pipe must not hold us up.
  const UniqueFd file(open(found.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.valid() || fstat(file.get(), &judged.status) != 0) {
    refuse(found, fmt::format("the file cannot be opened: {}", std::strerror(errno)));
    return judged;
  }
  if (!S_ISREG(judged.status.st_mode)) {
    refuse(found, "not a regular file");
    return judged;
  }
  judged.regular = true;

  // What the record says is read also when the file is not trusted: a refusal names id and vendor.
  ElfPeek peek = peek_elf(file.get(), static_cast<uint64_t>(judged.status.st_size));
  judged.build_id = std::move(peek.build_id);
  std::string record_reason = std::move(peek.reason);
  if (peek.fault == ElfFault::kNone) {
    record_reason = decode_entry(peek.record.data(), found.entry);
  }

  std::string reason = distrust(trust, "file", found.path, judged.status);
  if (reason.empty() && listed_in != nullptr) {
    reason = distrust(trust, "directory", parent_of(path), *listed_in);
  }
  if (reason.empty() && (is_link || listed_in == nullptr)) {
    const std::string directory = parent_of(found.path);
    struct stat status {};
    reason =
        stat(directory.c_str(), &status) != 0
            ? fmt::format("the directory {} cannot be read: {}", directory, std::strerror(errno))
            : distrust(trust, "directory", directory, status);
  }
  if (reason.empty()) reason = std::move(record_reason);
  if (!reason.empty()) {
    refuse(found, std::move(reason));
    return judged;
  }
  judge_entry(judged, config);
  return judged;
}

Judged judge_in_process(const muster_entry& entry, const Config& config) {
  Judged judged;
  judged.found.in_process = &entry;
  if (std::string reason = decode_entry(&entry, judged.found.entry); !reason.empty()) {
    refuse(judged.found, std::move(reason));
    return judged;
  }
  judge_entry(judged, config);
  return judged;
}

FoundPlugin judge_file(const std::string& path, const Config& config) {
  return judge_plugin_file(path, true, nullptr, config, trust_policy(config)).found;
}

}  // namespace muster

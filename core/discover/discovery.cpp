#include "core/discover/discovery.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <set>
#include <tuple>
#include <utility>

#include "core/discover/file_trust.hpp"
#include "core/discover/judgement.hpp"
#include "core/discover/loader.hpp"
#include "core/discover/prober.hpp"

namespace muster {
namespace {

struct Listed {
  std::string name;
  bool is_link;
};

// One discovery: what was found so far, in order.
class Discovery {
 public:
  Discovery(const DiscoveryInputs& inputs, Records& records)
      : config_(*inputs.config),
        records_(records),
        trust_(trust_policy(config_)),
        prober_(config_, inputs.probe) {
    for (const std::string& name : trust_.unknown_owners) {
      record(name, "ignored", "plugins.trust_owners names a user that this machine does not have",
             config_.plugins_trust_owners.source.text());
    }
  }

  void in_process(const muster_entry& entry) {
    Judged judged = judge_in_process(entry, config_);
    // The address tells entries apart that were refused for what they say of themselves.
    judged.found.path = judged.found.state == PluginState::kRefused
                            ? fmt::format("/muster-in-process/{}", static_cast<const void*>(&entry))
                            : preload_in_process(entry);
    settle(std::move(judged));
  }

  void directory(const std::string& path) {
    if (path.empty() || path.front() != '/') {
      return record(path, "refused",
                    "not an absolute path: the current directory is never searched",
                    source_of(path));
    }
    const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* const stream = fd < 0 ? nullptr : fdopendir(fd);
    struct stat status {};
    if (stream == nullptr || fstat(fd, &status) != 0) {
      const int error = errno;
      if (stream != nullptr) {
        closedir(stream);
      } else if (fd >= 0) {
        close(fd);
      }
      return record(path, error == ENOENT ? "missing" : "unreadable",
                    fmt::format("the plugin directory cannot be read: {}", std::strerror(error)),
                    source_of(path));
    }
    const std::vector<Listed> files = list(stream, fd);
    closedir(stream);
    char* const canonical = realpath(path.c_str(), nullptr);
    const std::string prefix = std::string(canonical == nullptr ? path : canonical) + "/";
    std::free(canonical);
    for (const Listed& file : files) {
      Judged judged = judge_plugin_file(prefix + file.name, file.is_link, &status, config_, trust_);
      if (judged.regular && !files_.insert({judged.status.st_dev, judged.status.st_ino}).second) {
        continue;  // reached before, by another name or directory
      }
      settle(std::move(judged));
    }
  }

  // Backends that the configuration counts on and nobody brings: mostly slips of the pen.
  void missing_backends() {
    for (const auto& [id, settings] : config_.backends) expect(id, source_of(settings));
    for (const GroupSettings& group : config_.groups) {
      for (const auto& [id, settings] : group.backends) expect(id, source_of(settings));
    }
    for (const PolicyRule& rule : config_.rules) {
      for (const std::string& id : rule.prefer.value_or(std::vector<std::string>()))
        expect(id, rule.source.text());
    }
  }

  std::vector<FoundPlugin> take() { return std::move(found_); }

 private:
  // The names that end in ".so" and are regular files or links, sorted by bytes. A link that leads
  // to anything but a regular file is no plugin; one that leads nowhere is reported.
  static std::vector<Listed> list(DIR* stream, int fd) {
    std::vector<Listed> files;
    while (const dirent* item = readdir(stream)) {
      const std::string_view name = item->d_name;
      if (!name.ends_with(".so")) continue;
      struct stat status {};
      unsigned char type = item->d_type;
      if (type == DT_UNKNOWN && fstatat(fd, item->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        type = S_ISREG(status.st_mode) ? DT_REG : S_ISLNK(status.st_mode) ? DT_LNK : DT_DIR;
      }
      if (type == DT_LNK && fstatat(fd, item->d_name, &status, 0) == 0 &&
          !S_ISREG(status.st_mode)) {
        continue;
      }
      if (type == DT_REG || type == DT_LNK) files.push_back({std::string(name), type == DT_LNK});
    }
    std::sort(files.begin(), files.end(),
              [](const Listed& a, const Listed& b) { return a.name < b.name; });
    return files;
  }

  void settle(Judged judged) {
    FoundPlugin& found = judged.found;
    if (!judged.note.empty()) record(found.path, "noted", judged.note, {});
    if (found.state == PluginState::kUsable) {
      const auto first = std::find_if(found_.begin(), found_.end(), [&](const FoundPlugin& other) {
        return other.entry.id == found.entry.id &&
               (other.state == PluginState::kUsable || other.state == PluginState::kUnprobed);
      });
      if (first != found_.end()) {
        found.state = PluginState::kRefused;
        found.reason = fmt::format("duplicate id {}: {} came first and serves; remove one of them",
                                   found.entry.id, first->path);
      } else {
        prober_.decide(judged);
      }
    }
    records_.add(
        {found.stage, found.path, plugin_state_name(found.state), found.reason, found.source});
    found_.push_back(std::move(found));
  }

  void expect(const std::string& id, const std::string& source) {
    const bool known = std::any_of(found_.begin(), found_.end(), [&](const FoundPlugin& plugin) {
      return plugin.entry.id == id;
    });
    if (!known && !source.empty()) {
      record(
          id, "missing",
          "no plugin with this id is in the plugin directories: correct it, or put its .so there",
          source);
    }
  }

  // Where a section says something of a backend, "" when it only turns it off.
  static std::string source_of(const BackendSettings& settings) {
    if (settings.mode && settings.mode->value != Mode::kOff) return settings.mode->source.text();
    if (settings.mode) return {};
    if (settings.priority) return settings.priority->source.text();
    return settings.options.empty() ? "" : settings.options.begin()->second.source.text();
  }

  std::string source_of(const std::string& directory) const {
    const std::vector<std::string>& configured = config_.plugins_path.value;
    const bool named =
        std::find(configured.begin(), configured.end(), directory) != configured.end();
    return named ? config_.plugins_path.source.text() : std::string();
  }

  void record(const std::string& subject, const char* verdict, std::string reason,
              std::string source) {
    records_.add({Stage::kDiscover, subject, verdict, std::move(reason), std::move(source)});
  }

  const Config& config_;
  Records& records_;
  TrustPolicy trust_;
  Prober prober_;
  std::vector<FoundPlugin> found_;
  std::set<std::pair<dev_t, ino_t>> files_;
};

}  // namespace

std::vector<FoundPlugin> discover(const DiscoveryInputs& inputs, Records& records) {
  Discovery discovery(inputs, records);
  for (const muster_entry* entry : inputs.in_process) {
    if (entry != nullptr) discovery.in_process(*entry);
  }
  for (const std::string& directory : inputs.directories) discovery.directory(directory);
  discovery.missing_backends();
  return discovery.take();
}

}  // namespace muster

// The configuration of one runtime: every value with where it came from.
//
// Made once by load_config (defaults, system file, user file, MUSTER_CONFIG, environment, API, in
// that order), then read-only: any thread. What ranks must agree on is separated by policy_text.
#ifndef MUSTER_CONFIG_CONFIG_HPP
#define MUSTER_CONFIG_CONFIG_HPP

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.hpp"
#include "muster/types.h"

namespace muster {

// Where a value came from.
struct Source {
  enum class Kind { kDefault, kFile, kEnvironment, kApi };
  Kind kind = Kind::kDefault;
  std::string name;  // the file's path, the variable's name
  uint32_t line = 0;
  uint32_t column = 0;
  // "/etc/muster/muster.toml:14:3", "MUSTER_LOG_LEVEL", "default", "api:2:1".
  std::string text() const;
};

template <typename T>
struct Setting {
  T value{};
  Source source{};
};

enum class Mode { kRequired, kPreferred, kOptional, kOff };
enum class ProbeMode { kChild, kInProcess, kNever };
enum class FallbackPolicy { kError, kWarn, kSilent };
const char* mode_name(Mode mode);

struct BackendSettings {
  std::optional<Setting<Mode>> mode;
  std::optional<Setting<int32_t>> priority;  // 0..100
  std::map<std::string, Setting<std::string>>
      options;  // integers in decimal, booleans "true"/"false"
};

// [group."glob"], [group."glob".backend.id].
struct GroupSettings {
  std::string glob;  // a name, or with * and ?
  Source source;
  std::optional<Setting<uint64_t>> timeout_ms;
  std::map<std::string, BackendSettings> backends;
};

// [[rule]]: in order of preference, the first that matches and has the field wins, per field.
struct PolicyRule {
  Source source;
  uint64_t ops = 0;     // bits; 0: any
  uint64_t dtypes = 0;  // bits; 0: any
  uint64_t redops = 0;  // bits; 0: any
  uint64_t memory = 0;  // bits; 0: any
  uint64_t bytes_from = 0;
  uint64_t bytes_to = UINT64_MAX;  // inclusive
  uint32_t ranks_from = 0;
  uint32_t ranks_to = UINT32_MAX;
  std::string group;                               // glob; "": any
  std::optional<std::vector<std::string>> prefer;  // backend ids, best first
  std::optional<std::vector<std::string>> forbid;  // backend ids
};

using Strings = std::vector<std::string>;

// The options are members made from the table in options.def, which gives each its type, default,
// limits and help: plugins.path is plugins_path, and so on.
struct Config {
#define MUSTER_OPTION(key, member, type, default_value, form, minimum, maximum, choices, level, \
                      scope, help)                                                              \
  Setting<type> member{default_value, {}};
#include "config/options.def"
#undef MUSTER_OPTION
  std::map<std::string, BackendSettings> backends;  // by id
  std::vector<GroupSettings> groups;
  std::vector<PolicyRule> rules;
  std::vector<std::string> files;  // what was read, in order
};

// Everything that load_config may read besides the defaults. Empty paths are skipped; a path in
// `required_file` must exist.
struct ConfigInputs {
  std::string system_file;                         // "/etc/muster/muster.toml"
  std::string user_file;                           // "$XDG_CONFIG_HOME/muster/muster.toml"
  std::string required_file;                       // MUSTER_CONFIG
  std::map<std::string, std::string> environment;  // MUSTER_... variables only
  std::string api_file;
  std::string api_text;
  std::string home;  // what a leading ~/ of a path stands for; "": such paths are refused
};

// The inputs of this process: paths of environment variables are ignored under elevated privilege.
ConfigInputs config_inputs_of_process(std::string api_file = {}, std::string api_text = {});

Result<Config> load_config(const ConfigInputs& inputs);

// The settings of a backend for one group, most specific first: an exact group name beats a glob, a
// longer literal prefix a shorter one (equals were refused at load), any group section beats
// [backend.id]. Options merge key by key.
BackendSettings backend_settings(const Config& config, const std::string& backend,
                                 std::string_view group);
uint64_t group_timeout_ms(const Config& config, std::string_view group);
bool glob_matches(std::string_view glob, std::string_view name);

// What every rank must have alike, as canonical text (with no sources in it): its digest is
// compared by the ranks.
std::string policy_text(const Config& config);
// What of it reaches a group of this name: groups whose texts are equal are treated alike.
std::string group_policy_text(const Config& config, std::string_view group);
// The files and variables that the policy came from, for the message when ranks differ.
std::string policy_sources(const Config& config);

}  // namespace muster

#endif

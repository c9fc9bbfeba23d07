// Access to the table of options (options.def): find, set, print.
//
// Thread rule: the table is constant. Internal to config/ and the command.
#ifndef MUSTER_CONFIG_OPTIONS_HPP
#define MUSTER_CONFIG_OPTIONS_HPP

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "config/config.hpp"
#include "config/value.hpp"

namespace muster {

enum class OptionForm {
  kFlag,    // true or false
  kNumber,  // an integer in minimum..maximum
  kChoice,  // one of the choices
  kName,    // an identifier
  kPath,    // an absolute path, or empty
  kPaths,   // absolute paths; those of later files come first. In a variable separated by ':'
  kNames    // non-empty strings. In a variable separated by ','
};
enum class OptionLevel { kUser, kTuner, kDeveloper };
enum class OptionScope { kAgreed, kLocal };

using OptionField = std::variant<Setting<bool> Config::*, Setting<uint64_t> Config::*,
                                 Setting<std::string> Config::*, Setting<Strings> Config::*,
                                 Setting<ProbeMode> Config::*, Setting<FallbackPolicy> Config::*>;

struct Option {
  std::string_view key;  // "group.timeout_ms"
  OptionField field;
  OptionForm form;
  uint64_t minimum;
  uint64_t maximum;
  std::string_view choices;
  OptionLevel level;
  OptionScope scope;
  std::string_view help;

  std::string_view section() const { return key.substr(0, key.rfind('.')); }
  std::string_view name() const { return key.substr(key.rfind('.') + 1); }
};

std::span<const Option> options();
const Option* find_option(std::string_view key);
const char* level_name(OptionLevel level);
const char* scope_name(OptionScope scope);
// "group.timeout_ms" is set by "MUSTER_GROUP_TIMEOUT_MS".
std::string variable_of(const Option& option);
// "child, in-process, never", "1 to 600000", ...: what the option takes, for people.
std::string accepted_values(const Option& option);

// Checks and stores. `home` is what a leading ~/ stands for; empty refuses such paths.
std::optional<ValueProblem> set_option(Config& config, const Option& option, const Value& value,
                                       const Source& source, std::string_view home);
// The text of a variable as the value that the option's form takes; a text that does not fit stays
// a string, for set_option to refuse.
Value value_of_text(const Option& option, const std::string& text);

// As TOML writes the value.
std::string option_text(const Config& config, const Option& option);
const Source& option_source(const Config& config, const Option& option);

}  // namespace muster

#endif

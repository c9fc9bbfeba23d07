// What `muster config show` and `muster config default` print.
#ifndef MUSTER_CONFIG_SHOW_HPP
#define MUSTER_CONFIG_SHOW_HPP

#include <string>
#include <vector>

#include "config/config.hpp"

namespace muster {

struct ConfigEntry {
  std::string key;     // "group.timeout_ms", "backend.shm.priority", "rule[0]"
  std::string value;   // as TOML writes it; of a rule its fields
  std::string source;  // Source::text
  bool is_default = false;
  std::string level;     // "user", "tuner", "developer"
  std::string scope;     // "agreed": alike on every rank; "local"
  std::string variable;  // of the environment; empty when there is none
  std::string help;      // empty for settings of backends, groups and rules
};

// Every option in the order of the table, then the settings of backends by id, of groups, and the
// rules.
std::vector<ConfigEntry> config_entries(const Config& config);

// The commented default muster.toml. Every setting stands in it as a comment without a space after
// the #.
std::string default_toml();

}  // namespace muster

#endif

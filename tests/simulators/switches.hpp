// How tests steer a simulator: environment variables, set before any thread runs that uses it; and,
// for what changes later, the exported function simulatedSwitch of the simulator, whose values go
// first. A simulator is loaded by dlopen and knows nothing of the test.
#ifndef MUSTER_TESTS_SIMULATORS_SWITCHES_HPP
#define MUSTER_TESTS_SIMULATORS_SWITCHES_HPP

#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace muster::simulators {

// The values of simulatedSwitch.
struct Switches {
  std::mutex mutex;
  std::map<std::string, std::string> values;
};
inline Switches& switches() {
  static Switches* const switches = new Switches;
  return *switches;
}

// "" when it is not set.
inline std::string text_of(const char* variable) {
  Switches& all = switches();
  const std::lock_guard<std::mutex> lock(all.mutex);
  const auto found = all.values.find(variable);
  if (found != all.values.end()) return found->second;
  const char* const text = std::getenv(variable);
  return text == nullptr ? "" : text;
}

inline int number(const char* variable, int otherwise) {
  const std::string text = text_of(variable);
  return text.empty() ? otherwise : std::atoi(text.c_str());
}

// The failure that a call of `function` is to have, 0: none. `variable` lists them: "cuMemCreate=2"
// always fails with 2, "cuMemCreate=2@3" from the third call on, counted since the variable was
// changed; several are separated by commas.
inline int injected(const char* variable, const char* function) {
  const std::string text = text_of(variable);
  if (text.empty()) return 0;
  static std::mutex mutex;
  static auto& calls =
      *new std::map<std::string, std::pair<std::string, int>>;  // by function: text, count
  const std::string list = "," + text + ",";
  const std::string key = "," + std::string(function) + "=";
  const size_t at = list.find(key);
  if (at == std::string::npos) return 0;
  const std::string rule = list.substr(at + key.size());
  const int code = std::atoi(rule.c_str());
  const size_t end = rule.find(',');
  const size_t from = rule.find('@');
  if (from == std::string::npos || from > end) return code;
  const std::lock_guard<std::mutex> lock(mutex);
  auto& [known, count] = calls[function];
  if (known != text) {
    known = text;
    count = 0;
  }
  return ++count >= std::atoi(rule.c_str() + from + 1) ? code : 0;
}

}  // namespace muster::simulators

#endif

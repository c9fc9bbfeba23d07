// How tests steer a simulator: environment variables, read at every call, so that a test may change
// them before what they concern. A simulator is loaded by dlopen and knows nothing of the test.
#ifndef MUSTER_TESTS_SIMULATORS_SWITCHES_HPP
#define MUSTER_TESTS_SIMULATORS_SWITCHES_HPP

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

namespace muster::simulators {

inline int number(const char* variable, int otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr || *text == '\0' ? otherwise : std::atoi(text);
}

// The failure that a call of `function` is to have, 0: none. `variable` lists them: "cuMemCreate=2"
// always fails with 2, "cuMemCreate=2@3" from the third call on, counted since the variable was
// changed; several are separated by commas.
inline int injected(const char* variable, const char* function) {
  const char* const text = std::getenv(variable);
  if (text == nullptr || *text == '\0') return 0;
  static std::mutex mutex;
  static std::map<std::string, std::pair<std::string, int>> calls;  // by function: text, count
  const std::string list = "," + std::string(text) + ",";
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

#include "tests/ranks/instruction_set.hpp"

#include "tests/ranks/runner.hpp"

namespace muster::ranks {

bool processor_has(const std::string& instruction_set) {
#if defined(__x86_64__)
  if (instruction_set == "x86-64-v2") return __builtin_cpu_supports("x86-64-v2") != 0;
  if (instruction_set == "x86-64-v3") return __builtin_cpu_supports("x86-64-v3") != 0;
  if (instruction_set == "x86-64-v4") return __builtin_cpu_supports("x86-64-v4") != 0;
#endif
  return instruction_set.empty() || instruction_set == "generic" || instruction_set == "native";
}

std::string kernels_config(const std::string& instruction_set) {
  return instruction_set.empty() ? "" : "kernels.architecture = \"" + instruction_set + "\"\n";
}

bool kernels_in_use(muster_runtime* runtime, const std::string& instruction_set) {
  if (instruction_set.empty()) return true;
  char* text = nullptr;
  if (!Said(muster_runtime_describe(runtime, &text)).ok()) return false;
  const std::string all = text;
  muster_text_release(text);
  const std::string key = "\"architecture\": \"";
  size_t right = 0;
  size_t count = 0;
  for (size_t at = all.find(key); at != std::string::npos; at = all.find(key, at + 1)) {
    ++count;
    right += all.compare(at + key.size(), instruction_set.size() + 1, instruction_set + "\"") == 0;
  }
  return count != 0 && right == count;
}

}  // namespace muster::ranks

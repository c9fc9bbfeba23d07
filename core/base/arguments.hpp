// Command lines: from a text, and into the form that exec and spawn take.
//
// Pure; any thread.
#ifndef MUSTER_CORE_BASE_ARGUMENTS_HPP
#define MUSTER_CORE_BASE_ARGUMENTS_HPP

#include <sstream>
#include <string>
#include <vector>

namespace muster {

// What white space separates.
inline std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

// With a NULL at the end. Valid as long as the texts.
inline std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace muster

#endif

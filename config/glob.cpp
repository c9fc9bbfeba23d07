#include "config/glob.hpp"

#include <cstdint>
#include <vector>

#include "config/config.hpp"

namespace muster {

bool glob_matches(std::string_view glob, std::string_view name) {
  size_t g = 0;
  size_t n = 0;
  size_t star = std::string_view::npos;  // the last * that was passed, and what it has taken
  size_t taken = 0;
  while (n < name.size()) {
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      taken = n;
    } else if (g < glob.size() && (glob[g] == '?' || glob[g] == name[n])) {
      ++g;
      ++n;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      n = ++taken;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

bool is_exact(std::string_view glob) { return glob.find_first_of("*?") == std::string_view::npos; }

std::string_view literal_prefix(std::string_view glob) {
  return glob.substr(0, glob.find_first_of("*?"));
}

bool globs_overlap(std::string_view a, std::string_view b) {
  // row[j]: whether the rest of a from i on and the rest of b from j on have a name in common.
  std::vector<bool> row(b.size() + 1);
  std::vector<bool> below(b.size() + 1);
  for (size_t i = a.size() + 1; i-- > 0;) {
    for (size_t j = b.size() + 1; j-- > 0;) {
      const bool more_a = i < a.size();
      const bool more_b = j < b.size();
      bool common = !more_a && !more_b;
      if (more_a && a[i] == '*') common = common || below[j] || (more_b && row[j + 1]);
      if (more_b && b[j] == '*') common = common || row[j + 1] || (more_a && below[j]);
      if (more_a && more_b && a[i] != '*' && b[j] != '*') {
        common = (a[i] == '?' || b[j] == '?' || a[i] == b[j]) && below[j + 1];
      }
      row[j] = common;
    }
    below = row;
  }
  return row[0];
}

size_t glob_rank(std::string_view glob) {
  return is_exact(glob) ? SIZE_MAX : literal_prefix(glob).size();
}

}  // namespace muster

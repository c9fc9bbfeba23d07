#include "core/cli/explain_difference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace muster::cli {
namespace {

std::string with_single_spaces(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ' || (!out.empty() && out.back() != ' ')) out += c;
  }
  return out;
}

std::vector<std::string> lines_of(Explanation& explanation) {
  explanation.digest.clear();
  std::vector<std::string> lines;
  for (const ExplainedLine& line : explanation_lines(explanation))
    lines.push_back(fmt::format("{:<10}{}", line.label, with_single_spaces(line.text)));
  return lines;
}

}  // namespace

std::vector<std::string> explanation_difference(Explanation before, Explanation after) {
  const std::vector<std::string> old_lines = lines_of(before);
  const std::vector<std::string> new_lines = lines_of(after);
  // common[i][j]: the longest common sequence of what follows old line i and new line j.
  std::vector<std::vector<uint32_t>> common(old_lines.size() + 1,
                                            std::vector<uint32_t>(new_lines.size() + 1));
  for (size_t i = old_lines.size(); i-- > 0;) {
    for (size_t j = new_lines.size(); j-- > 0;) {
      common[i][j] = old_lines[i] == new_lines[j] ? common[i + 1][j + 1] + 1
                                                  : std::max(common[i + 1][j], common[i][j + 1]);
    }
  }
  std::vector<std::string> out;
  size_t i = 0;
  size_t j = 0;
  while (i < old_lines.size() || j < new_lines.size()) {
    if (i < old_lines.size() && j < new_lines.size() && old_lines[i] == new_lines[j]) {
      ++i;
      ++j;
    } else if (i < old_lines.size() &&
               (j == new_lines.size() || common[i + 1][j] >= common[i][j + 1])) {
      out.push_back("- " + old_lines[i++]);
    } else {
      out.push_back("+ " + new_lines[j++]);
    }
  }
  return out;
}

}  // namespace muster::cli

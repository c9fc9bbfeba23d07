#include "tests/unit/parallel/published_layouts.hpp"

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace muster::testing {
namespace {

std::vector<uint32_t> list_of(const std::string& text) {
  std::vector<uint32_t> ranks;
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') throw std::runtime_error(text);
  std::istringstream stream(text.substr(1, text.size() - 2));
  for (std::string number; std::getline(stream, number, ',');)
    ranks.push_back(static_cast<uint32_t>(std::stoul(number)));
  return ranks;
}

void read_rule(std::istringstream& words, Published& out) {
  std::string role;
  std::string word;
  words >> role >> word;
  PublishedRule& rule = out.rules[role];
  if (word != "length") throw std::runtime_error(role);
  while (words >> word && word != "stride") rule.length.push_back(word);
  while (words >> word) rule.stride.push_back(word);
}

Published read() {
  Published out;
  std::ifstream file(MUSTER_PUBLISHED_LAYOUTS);
  if (!file) throw std::runtime_error("cannot open " MUSTER_PUBLISHED_LAYOUTS);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "role") {
      read_rule(words, out);
    } else if (word == "layout") {
      PublishedLayout& layout = out.layouts.emplace_back();
      words >> layout.world >> layout.sizes;
    } else {
      if (out.layouts.empty()) throw std::runtime_error(line);
      Partition& groups = out.layouts.back().roles[word];
      for (std::string list; words >> list;) groups.push_back(list_of(list));
    }
  }
  return out;
}

}  // namespace

const Published& published() {
  static const Published read_once = read();
  return read_once;
}

}  // namespace muster::testing

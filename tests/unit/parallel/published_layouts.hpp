// Reads published_layouts.txt.
#ifndef MUSTER_TESTS_UNIT_PARALLEL_PUBLISHED_LAYOUTS_HPP
#define MUSTER_TESTS_UNIT_PARALLEL_PUBLISHED_LAYOUTS_HPP

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace muster::testing {

using Partition = std::vector<std::vector<uint32_t>>;

struct PublishedRule {
  std::vector<std::string> length;  // names of sizes to be multiplied
  std::vector<std::string> stride;
};

struct PublishedLayout {
  uint32_t world = 0;
  std::string sizes;
  std::map<std::string, Partition> roles;
};

struct Published {
  std::map<std::string, PublishedRule> rules;  // by role
  std::vector<PublishedLayout> layouts;
};

// Throws std::runtime_error with the line that it cannot read.
const Published& published();

}  // namespace muster::testing

#endif

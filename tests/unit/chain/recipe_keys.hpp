// A call for every recipe, and offers of nothing but its bases.
#ifndef MUSTER_TESTS_UNIT_CHAIN_RECIPE_KEYS_HPP
#define MUSTER_TESTS_UNIT_CHAIN_RECIPE_KEYS_HPP

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/compose/recipes.hpp"
#include "tests/unit/chain/rules.hpp"

namespace muster::testing {

// Takes calls of one row only, of every size.
inline muster_rule exactly(const CellKey& key) {
  muster_rule rule = rule_for(key.op);
  rule.dtypes = MUSTER_BIT(key.dtype);
  rule.redops = MUSTER_BIT(key.redop);
  rule.flags = MUSTER_RULE_UNSIZED;
  if (op_is_point_to_point(key.op)) rule.ops = kMessages;
  return rule;
}

// A call that a recipe could serve.
inline CellKey key_for(Recipe recipe) {
  switch (recipe) {
    case Recipe::kAvgBySum:
      return key_of(MUSTER_REDUCE_SCATTER, MUSTER_F32, MUSTER_AVG);
    case Recipe::kAsBytes:
      return key_of(MUSTER_ALL_TO_ALL, MUSTER_F32);
    default:
      break;
  }
  for (muster_op op = MUSTER_ALL_REDUCE; op < MUSTER_OP_END; ++op) {
    if (const CellKey key = key_of(op); !recipe_bases(recipe, key).empty()) return key;
  }
  return {};
}

// All of them but staging, which has tests of its own: it needs a device.
inline auto every_recipe() {
  return ::testing::Range<uint16_t>(0, static_cast<uint16_t>(Recipe::kStagedThroughHost));
}
// As part of a test's name.
inline std::string recipe_in_words(uint16_t recipe) {
  std::string name = "r" + std::to_string(recipe) + "_" + recipe_name(static_cast<Recipe>(recipe));
  std::replace(name.begin(), name.end(), '+', '_');
  return name;
}

}  // namespace muster::testing

#endif

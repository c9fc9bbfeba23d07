// A call for every recipe, and offers of nothing but its bases.
#ifndef MUSTER_TESTS_UNIT_CHAIN_RECIPE_KEYS_HPP
#define MUSTER_TESTS_UNIT_CHAIN_RECIPE_KEYS_HPP

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

}  // namespace muster::testing

#endif

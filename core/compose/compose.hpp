// Executes the recipes: an operation that no backend offers, made of those that one does.
//
// The state of a composed candidate is its muster_group. Parts run through the group's own table;
// scratch belongs to the group and grows in eager phases only.
#ifndef MUSTER_CORE_COMPOSE_COMPOSE_HPP
#define MUSTER_CORE_COMPOSE_COMPOSE_HPP

#include "core/chain/table.hpp"
#include "core/compose/recipes.hpp"
#include "core/dispatch/group.hpp"

namespace muster {

ExecuteFunction composed_execute(Recipe recipe);

// Sets functions and states of the composed candidates of a group's table.
void bind_composed(muster_group& group);

}  // namespace muster

#endif

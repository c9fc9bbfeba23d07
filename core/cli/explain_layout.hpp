// What a layout would make of a world: every role's groups, described without running anything.
//
// Pure values; one thread.
#ifndef MUSTER_CORE_CLI_EXPLAIN_LAYOUT_HPP
#define MUSTER_CORE_CLI_EXPLAIN_LAYOUT_HPP

#include <string>

#include "config/config.hpp"
#include "core/parallel/roles.hpp"
#include "core/parallel/sharing.hpp"

namespace muster::cli {

// "tp=8,ep=4" for a world of that many ranks; 0: of as many as tp, pp and dp make.
Result<LayoutSizes> imagine_layout(const std::string& text, uint32_t world);

// Of one role, or of all (NONE).
std::string layout_overview(const LayoutSizes& sizes, const Sharing& sharing, muster_role role);
std::string layout_overview_json(const LayoutSizes& sizes, const Sharing& sharing,
                                 muster_role role);  // "muster.layout/1"

}  // namespace muster::cli

#endif

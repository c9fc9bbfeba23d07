// What differs between two explanations, line by line.
//
// Pure values; one thread.
#ifndef MUSTER_CORE_CLI_EXPLAIN_DIFFERENCE_HPP
#define MUSTER_CORE_CLI_EXPLAIN_DIFFERENCE_HPP

#include <string>
#include <vector>

#include "core/explain/explain.hpp"

namespace muster::cli {

// "- chain     1 cuda_peer ..." of the first, "+ ..." of the second, in the order of the text; the
// chain's digest apart, and however wide the columns are. Empty: they say the same.
std::vector<std::string> explanation_difference(Explanation before, Explanation after);

}  // namespace muster::cli

#endif

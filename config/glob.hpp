// Names of groups with * (any text) and ? (one character).
#ifndef MUSTER_CONFIG_GLOB_HPP
#define MUSTER_CONFIG_GLOB_HPP

#include <cstddef>
#include <string_view>

namespace muster {

bool is_exact(std::string_view glob);
// What stands before the first * or ?.
std::string_view literal_prefix(std::string_view glob);
// Whether some name matches both.
bool globs_overlap(std::string_view a, std::string_view b);
// Larger is more specific: a longer literal prefix, and an exact name more than any.
size_t glob_rank(std::string_view glob);

}  // namespace muster

#endif

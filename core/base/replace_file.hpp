// Files that nobody ever finds half written.
#ifndef MUSTER_CORE_BASE_REPLACE_FILE_HPP
#define MUSTER_CORE_BASE_REPLACE_FILE_HPP

#include <string>
#include <string_view>

namespace muster {

// Puts the text under the path, for the user alone, in place of what is there. It is written beside
// it first, under the path with ".tmp-" and numbers behind it. False: see errno; nothing is left.
// Any thread, any number of processes.
bool replace_file(const std::string& path, std::string_view text);

}  // namespace muster

#endif

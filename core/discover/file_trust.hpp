// Who may have written a plugin file: its owner and mode, and those of the directory that holds it.
//
// Any thread; reads the user database once, when a policy is made.
#ifndef MUSTER_CORE_DISCOVER_FILE_TRUST_HPP
#define MUSTER_CORE_DISCOVER_FILE_TRUST_HPP

#include <sys/stat.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "config/config.hpp"

namespace muster {

// What the caller and the configuration trust.
struct TrustPolicy {
  uid_t caller = 0;
  gid_t caller_group = 0;
  bool any_group = false;                   // plugins.trust_group
  std::vector<uid_t> owners;                // plugins.trust_owners, root and the caller
  std::vector<std::string> unknown_owners;  // names of trust_owners that this machine lacks
};
TrustPolicy trust_policy(const Config& config);

// "" when trusted, else the reason and what to do. `what` is "file" or "directory".
std::string distrust(const TrustPolicy& policy, const char* what, const std::string& path,
                     const struct stat& status);

}  // namespace muster

#endif

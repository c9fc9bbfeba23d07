#include "core/discover/file_trust.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace muster {
namespace {

std::optional<uid_t> user_id(const std::string& name) {
  uid_t number = 0;
  const char* const end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data(), end, number);
  if (error == std::errc() && rest == end) return number;
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(16384);
  if (getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    return std::nullopt;
  }
  return found->pw_uid;
}

}  // namespace

TrustPolicy trust_policy(const Config& config) {
  TrustPolicy policy;
  policy.caller = geteuid();
  policy.caller_group = getegid();
  policy.any_group = config.plugins_trust_group.value;
  policy.owners = {0, policy.caller};
  for (const std::string& name : config.plugins_trust_owners.value) {
    if (const std::optional<uid_t> id = user_id(name)) {
      policy.owners.push_back(*id);
    } else {
      policy.unknown_owners.push_back(name);
    }
  }
  return policy;
}

std::string distrust(const TrustPolicy& policy, const char* what, const std::string& path,
                     const struct stat& status) {
  const unsigned mode = status.st_mode & 07777u;
  if ((mode & S_IWOTH) != 0) {
    return fmt::format("the {} {} is writable by everyone (mode {:04o}): chmod o-w it", what, path,
                       mode);
  }
  if ((mode & S_IWGRP) != 0 && !policy.any_group && status.st_gid != policy.caller_group) {
    return fmt::format(
        "the {} {} is writable by group {} (mode {:04o}), which is not the caller's primary group "
        "{}: chmod g-w it or set plugins.trust_group",
        what, path, status.st_gid, mode, policy.caller_group);
  }
  if (std::find(policy.owners.begin(), policy.owners.end(), status.st_uid) == policy.owners.end()) {
    return fmt::format(
        "the {} {} is owned by user {}, neither root nor the caller ({}): chown it or add the "
        "owner to plugins.trust_owners",
        what, path, status.st_uid, policy.caller);
  }
  return {};
}

}  // namespace muster

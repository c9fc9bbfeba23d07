// A rule as one line of TOML values, in a fixed order of fields: `op = ["all_gather"], prefer =
// ["nccl"]`.
#ifndef MUSTER_CONFIG_RULE_TEXT_HPP
#define MUSTER_CONFIG_RULE_TEXT_HPP

#include <string>

#include "config/config.hpp"

namespace muster {

std::string rule_text(const PolicyRule& rule);

}  // namespace muster

#endif

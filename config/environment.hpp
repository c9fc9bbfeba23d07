// The variables of the environment that configure muster: MUSTER_ and the key of an option, and
// MUSTER_BACKEND_<ID>_MODE, _PRIORITY and _OPTIONS_<NAME>.
#ifndef MUSTER_CONFIG_ENVIRONMENT_HPP
#define MUSTER_CONFIG_ENVIRONMENT_HPP

#include <map>
#include <string>

#include "config/config.hpp"

namespace muster {

// From a block of variables as `environ`. `elevated` (a set-user-id program and the like): what
// names files, or widens which plugins are trusted, is left out, and so are home and its files.
ConfigInputs config_inputs_from(const char* const* variables, bool elevated);

// Sets what the variables say; empty ones count as unset. One that means nothing is a warning in
// the log, since other programs may read it.
Status apply_environment(const std::map<std::string, std::string>& variables,
                         const std::string& home, Config& config);

}  // namespace muster

#endif

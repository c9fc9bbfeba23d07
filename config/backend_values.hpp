// Checks and stores the settings of one backend; a file's section and a variable both end here.
#ifndef MUSTER_CONFIG_BACKEND_VALUES_HPP
#define MUSTER_CONFIG_BACKEND_VALUES_HPP

#include <optional>
#include <string>

#include "config/config.hpp"
#include "config/value.hpp"

namespace muster {

std::optional<ValueProblem> set_mode(BackendSettings& backend, const Value& value,
                                     const Source& source);
std::optional<ValueProblem> set_priority(BackendSettings& backend, const Value& value,
                                         const Source& source);
// Whether the backend declares the option is judged when the backend is known.
std::optional<ValueProblem> set_backend_option(BackendSettings& backend, const std::string& name,
                                               const Value& value, const Source& source);
std::optional<ValueProblem> check_backend_id(const std::string& id);

}  // namespace muster

#endif

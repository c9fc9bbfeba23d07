#include "config/backend_values.hpp"

#include <fmt/format.h>

namespace muster {

std::optional<ValueProblem> set_mode(BackendSettings& backend, const Value& value,
                                     const Source& source) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return wrong_type("mode", "a string", value);
  for (const Mode mode : {Mode::kRequired, Mode::kPreferred, Mode::kOptional, Mode::kOff}) {
    if (*text == mode_name(mode)) {
      backend.mode = Setting<Mode>{mode, source};
      return std::nullopt;
    }
  }
  return ValueProblem{MUSTER_INVALID_ARGUMENT, fmt::format("'mode' cannot be {}", quoted(*text)),
                      "use required, preferred, optional, off"};
}

std::optional<ValueProblem> set_priority(BackendSettings& backend, const Value& value,
                                         const Source& source) {
  const auto* number = std::get_if<int64_t>(&value);
  if (number == nullptr) return wrong_type("priority", "an integer", value);
  if (*number < 0 || *number > 100) {
    return ValueProblem{
        MUSTER_OUT_OF_RANGE, fmt::format("'priority' cannot be {}", *number),
        *number < 0 ? "use 0 to 100; to leave a backend out, mode = \"off\"" : "use 0 to 100"};
  }
  backend.priority = Setting<int32_t>{static_cast<int32_t>(*number), source};
  return std::nullopt;
}

std::optional<ValueProblem> set_backend_option(BackendSettings& backend, const std::string& name,
                                               const Value& value, const Source& source) {
  if (!is_identifier(name)) {
    return ValueProblem{MUSTER_INVALID_ARGUMENT,
                        fmt::format("'{}' is not a name of an option", name),
                        "use lower-case letters, digits and '_'"};
  }
  std::string text;
  if (const auto* flag = std::get_if<bool>(&value)) {
    text = *flag ? "true" : "false";
  } else if (const auto* number = std::get_if<int64_t>(&value)) {
    text = std::to_string(*number);
  } else if (const auto* string = std::get_if<std::string>(&value)) {
    text = *string;
  } else {
    return wrong_type(name, "a string, an integer or a boolean", value);
  }
  backend.options[name] = Setting<std::string>{std::move(text), source};
  return std::nullopt;
}

std::optional<ValueProblem> check_backend_id(const std::string& id) {
  if (is_identifier(id)) return std::nullopt;
  return ValueProblem{MUSTER_INVALID_ARGUMENT,
                      fmt::format("{} is not an id of a backend", quoted(id)),
                      "use lower-case letters, digits and '_', at most 63 characters"};
}

}  // namespace muster

#include "config/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <type_traits>

namespace muster {
namespace {

constexpr Option kOptions[] = {
#define MUSTER_OPTION(key, member, type, default_value, form, minimum, maximum, choices, level, \
                      scope, help)                                                              \
  {key,     &Config::member,    OptionForm::form,   minimum, maximum,                           \
   choices, OptionLevel::level, OptionScope::scope, help},
#include "config/options.def"
#undef MUSTER_OPTION
};

Strings split(std::string_view text, char separator) {
  Strings parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

const char* wanted_type(OptionForm form) {
  switch (form) {
    case OptionForm::kFlag:
      return "true or false";
    case OptionForm::kNumber:
      return "an integer";
    case OptionForm::kPaths:
    case OptionForm::kNames:
      return "an array of strings";
    default:
      return "a string";
  }
}

// Expands a leading ~/ and refuses what is not absolute: the current directory is never searched.
std::optional<ValueProblem> make_absolute(const Option& option, std::string& path,
                                          std::string_view home) {
  if (path.starts_with("~/") && !home.empty()) path = std::string(home) + path.substr(1);
  if (path.starts_with('/')) return std::nullopt;
  return ValueProblem{
      MUSTER_INVALID_ARGUMENT,
      fmt::format("'{}' must hold absolute paths, not {}", option.key, quoted(path)),
      path.starts_with("~/") ? "~/ is expanded only where a home directory is known: in files of "
                               "the user"
                             : "write the path from the root directory on"};
}

std::optional<ValueProblem> check_text(const Option& option, std::string& text,
                                       std::string_view home) {
  if (option.form == OptionForm::kPath) {
    return text.empty() ? std::nullopt : make_absolute(option, text, home);
  }
  if (option.form == OptionForm::kPaths) return make_absolute(option, text, home);
  if (option.form == OptionForm::kNames && !text.empty()) return std::nullopt;
  if (option.form == OptionForm::kName && is_identifier(text)) return std::nullopt;
  const Strings choices = split(option.choices, '|');
  if (std::find(choices.begin(), choices.end(), text) != choices.end()) return std::nullopt;
  return ValueProblem{MUSTER_INVALID_ARGUMENT,
                      fmt::format("'{}' cannot be {}", option.key, quoted(text)),
                      "use " + accepted_values(option)};
}

template <typename T>
std::optional<ValueProblem> convert(const Option& option, const Value& value, std::string_view home,
                                    T& out) {
  const ValueProblem mismatch = wrong_type(option.key, wanted_type(option.form), value);
  if constexpr (std::is_same_v<T, bool>) {
    const bool* flag = std::get_if<bool>(&value);
    if (flag == nullptr) return mismatch;
    out = *flag;
  } else if constexpr (std::is_same_v<T, uint64_t>) {
    const int64_t* number = std::get_if<int64_t>(&value);
    if (number == nullptr) return mismatch;
    if (*number < 0 || static_cast<uint64_t>(*number) < option.minimum ||
        static_cast<uint64_t>(*number) > option.maximum) {
      return ValueProblem{MUSTER_OUT_OF_RANGE,
                          fmt::format("'{}' cannot be {}", option.key, *number),
                          "use " + accepted_values(option)};
    }
    out = static_cast<uint64_t>(*number);
  } else if constexpr (std::is_same_v<T, Strings>) {
    const Strings* texts = std::get_if<Strings>(&value);
    if (texts == nullptr) return mismatch;
    Strings checked = *texts;
    for (std::string& text : checked) {
      if (auto problem = check_text(option, text, home)) return problem;
    }
    if (option.form == OptionForm::kPaths) checked.insert(checked.end(), out.begin(), out.end());
    out = std::move(checked);
  } else {
    const std::string* text = std::get_if<std::string>(&value);
    if (text == nullptr) return mismatch;
    std::string checked = *text;
    if (auto problem = check_text(option, checked, home)) return problem;
    if constexpr (std::is_enum_v<T>) {
      const Strings choices = split(option.choices, '|');
      out = static_cast<T>(std::find(choices.begin(), choices.end(), checked) - choices.begin());
    } else {
      out = std::move(checked);
    }
  }
  return std::nullopt;
}

}  // namespace

std::span<const Option> options() { return kOptions; }

const Option* find_option(std::string_view key) {
  const auto* found = std::find_if(std::begin(kOptions), std::end(kOptions),
                                   [key](const Option& option) { return option.key == key; });
  return found == std::end(kOptions) ? nullptr : found;
}

const char* level_name(OptionLevel level) {
  static constexpr const char* kNames[] = {"user", "tuner", "developer"};
  return kNames[static_cast<size_t>(level)];
}

const char* scope_name(OptionScope scope) {
  return scope == OptionScope::kAgreed ? "agreed" : "local";
}

std::string variable_of(const Option& option) {
  std::string variable = "MUSTER_";
  for (const char c : option.key) {
    variable += c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  }
  return variable;
}

std::string accepted_values(const Option& option) {
  switch (option.form) {
    case OptionForm::kFlag:
      return "true or false";
    case OptionForm::kNumber:
      return fmt::format("{} to {}", option.minimum, option.maximum);
    case OptionForm::kChoice:
      return fmt::format("{}", fmt::join(split(option.choices, '|'), ", "));
    case OptionForm::kName:
      return "lower-case letters, digits and '_'";
    case OptionForm::kPath:
      return "an absolute path";
    case OptionForm::kPaths:
      return "absolute paths";
    case OptionForm::kNames:
      return "names";
  }
  return {};
}

std::optional<ValueProblem> set_option(Config& config, const Option& option, const Value& value,
                                       const Source& source, std::string_view home) {
  return std::visit(
      [&](auto field) {
        auto& setting = config.*field;
        auto problem = convert(option, value, home, setting.value);
        if (!problem) setting.source = source;
        return problem;
      },
      option.field);
}

Value value_of_text(const Option& option, const std::string& text) {
  switch (option.form) {
    case OptionForm::kFlag:
      if (text == "1" || text == "true" || text == "on" || text == "yes") return true;
      if (text == "0" || text == "false" || text == "off" || text == "no") return false;
      return text;
    case OptionForm::kNumber: {
      int64_t number = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (error == std::errc() && end == text.data() + text.size()) return number;
      return text;
    }
    case OptionForm::kPaths:
      return split(text, ':');
    case OptionForm::kNames:
      return split(text, ',');
    default:
      return text;
  }
}

std::string option_text(const Config& config, const Option& option) {
  return std::visit(
      [&](auto field) -> std::string {
        const auto& value = (config.*field).value;
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, bool>) {
          return value ? "true" : "false";
        } else if constexpr (std::is_same_v<T, uint64_t>) {
          return std::to_string(value);
        } else if constexpr (std::is_same_v<T, Strings>) {
          return quoted_list(value);
        } else if constexpr (std::is_enum_v<T>) {
          return quoted(split(option.choices, '|')[static_cast<size_t>(value)]);
        } else {
          return quoted(value);
        }
      },
      option.field);
}

const Source& option_source(const Config& config, const Option& option) {
  return std::visit([&](auto field) -> const Source& { return (config.*field).source; },
                    option.field);
}

}  // namespace muster

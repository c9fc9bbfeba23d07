#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "config/backend_values.hpp"
#include "config/sections.hpp"
#include "core/base/names.hpp"
#include "core/base/units.hpp"

namespace muster {
namespace {

constexpr std::string_view kKnown[] = {"op",    "dtype", "redop",  "memory", "bytes",
                                       "ranks", "group", "prefer", "forbid"};

using FromName = std::optional<uint32_t> (*)(std::string_view);
using AllNames = std::string (*)();

// One name or an array of names, as bits.
void read_names(const TomlNode& entry, FileContext& file, FromName from_name, AllNames all_names,
                uint64_t& bits) {
  Strings names;
  if (const auto* one = std::get_if<std::string>(&entry.value)) {
    names = {*one};
  } else if (const auto* several = std::get_if<Strings>(&entry.value)) {
    names = *several;
  } else {
    return file.problems.add(
        entry.at, wrong_type(entry.name, "a string or an array of strings", entry.value));
  }
  if (names.empty()) {
    file.problems.add(
        entry.at, ValueProblem{MUSTER_INVALID_ARGUMENT, fmt::format("'{}' is empty", entry.name),
                               "name at least one, or leave the key out to match all"});
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (const std::optional<uint32_t> value = from_name(names[i])) {
      bits |= uint64_t{1} << *value;
    } else {
      file.problems.add(entry.children.empty() ? entry.at : entry.children[i].at,
                        ValueProblem{MUSTER_INVALID_ARGUMENT,
                                     fmt::format("'{}' cannot be {}", entry.name, quoted(names[i])),
                                     "use " + all_names()});
    }
  }
}

void read_ids(const TomlNode& entry, FileContext& file, std::optional<Strings>& ids) {
  const auto* names = std::get_if<Strings>(&entry.value);
  if (names == nullptr) {
    return file.problems.add(entry.at,
                             wrong_type(entry.name, "an array of ids of backends", entry.value));
  }
  for (size_t i = 0; i < names->size(); ++i) {
    file.problems.add(entry.children[i].at, check_backend_id((*names)[i]));
  }
  ids = *names;
}

// Both ends inclusive.
struct Range {
  uint64_t from;
  uint64_t to;
};

using ParseNumber = Result<uint64_t> (*)(std::string_view);

Result<uint64_t> parse_count(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  return Status(MUSTER_INVALID_ARGUMENT, fmt::format("'{}' is not a number of ranks", text),
                "write 4, \"2..8\", \"2..\" or \"..8\"");
}

// "2..8", "2..", "..8" or "4", within the limits.
Result<Range> parse_range(std::string_view text, ParseNumber parse, const Range& limits) {
  const size_t dots = text.find("..");
  const std::string_view from = text.substr(0, dots);
  const std::string_view to = dots == std::string_view::npos ? from : text.substr(dots + 2);
  if (from.empty() && to.empty()) {
    return Status(MUSTER_INVALID_ARGUMENT, fmt::format("'{}' has no limit", text),
                  "leave the key out to match all");
  }
  Range range = limits;
  for (const auto& [part, number] : {std::pair(from, &range.from), std::pair(to, &range.to)}) {
    if (part.empty()) continue;
    Result<uint64_t> parsed = parse(part);
    if (!parsed.ok()) return parsed.take_status();
    *number = *parsed;
  }
  return range;
}

std::optional<Range> read_range(const TomlNode& entry, FileContext& file, ParseNumber parse,
                                const Range& limits) {
  const auto* number = std::get_if<int64_t>(&entry.value);
  const auto* text = std::get_if<std::string>(&entry.value);
  if (number == nullptr && text == nullptr) {
    file.problems.add(entry.at,
                      wrong_type(entry.name, "an integer or a string with a range", entry.value));
    return std::nullopt;
  }
  Result<Range> range = text != nullptr ? parse_range(*text, parse, limits)
                                        : parse_range(std::to_string(*number), parse, limits);
  Status status = range.ok() ? Status() : range.take_status();
  if (status.ok() &&
      (range->from > range->to || range->from < limits.from || range->to > limits.to)) {
    status = Status(
        MUSTER_OUT_OF_RANGE, "the range is empty or out of range",
        fmt::format("write the smaller limit first, both within {} to {}", limits.from, limits.to));
  }
  if (status.ok()) return *range;
  file.problems.add(entry.at,
                    ValueProblem{status.code(), fmt::format("'{}': {}", entry.name, status.cause()),
                                 status.remedy()});
  return std::nullopt;
}

void check_rule(const TomlNode& node, FileContext& file, const PolicyRule& rule) {
  if (!rule.prefer && !rule.forbid) {
    return file.problems.add(
        node.key, ValueProblem{MUSTER_INVALID_ARGUMENT, "a rule with neither 'prefer' nor 'forbid'",
                               "say which backends it prefers or forbids"});
  }
  if (!rule.prefer || !rule.forbid) return;
  for (const std::string& id : *rule.prefer) {
    if (std::find(rule.forbid->begin(), rule.forbid->end(), id) != rule.forbid->end()) {
      file.problems.add(node.key,
                        ValueProblem{MUSTER_INVALID_ARGUMENT,
                                     fmt::format("a rule both prefers and forbids '{}'", id),
                                     "remove it from one of the two"});
    }
  }
}

}  // namespace

PolicyRule read_rule(const TomlNode& node, FileContext& file) {
  PolicyRule rule;
  rule.source = file.source(node.key);
  bool complete = true;
  for (const TomlNode& entry : node.children) {
    if (entry.name == "op") {
      read_names(entry, file, op_from_name, all_op_names, rule.ops);
    } else if (entry.name == "dtype") {
      read_names(entry, file, dtype_from_name, all_dtype_names, rule.dtypes);
    } else if (entry.name == "redop") {
      read_names(entry, file, redop_from_name, all_redop_names, rule.redops);
    } else if (entry.name == "memory") {
      read_names(entry, file, memory_from_name, all_memory_names, rule.memory);
    } else if (entry.name == "bytes") {
      if (const auto range = read_range(entry, file, parse_bytes, {0, UINT64_MAX})) {
        rule.bytes_from = range->from;
        rule.bytes_to = range->to;
      }
    } else if (entry.name == "ranks") {
      if (const auto range = read_range(entry, file, parse_count, {1, UINT32_MAX})) {
        rule.ranks_from = static_cast<uint32_t>(range->from);
        rule.ranks_to = static_cast<uint32_t>(range->to);
      }
    } else if (entry.name == "group") {
      const auto* glob = std::get_if<std::string>(&entry.value);
      if (glob == nullptr)
        file.problems.add(entry.at, wrong_type("group", "a string", entry.value));
      if (glob != nullptr) rule.group = *glob;
    } else if (entry.name == "prefer") {
      complete &= std::holds_alternative<Strings>(entry.value);
      read_ids(entry, file, rule.prefer);
    } else if (entry.name == "forbid") {
      complete &= std::holds_alternative<Strings>(entry.value);
      read_ids(entry, file, rule.forbid);
    } else {
      complete = false;  // perhaps a misspelt 'prefer'
      file.problems.add(entry.key, unknown_key(entry.name, "[[rule]]", kKnown));
    }
  }
  if (complete) check_rule(node, file, rule);
  return rule;
}

}  // namespace muster

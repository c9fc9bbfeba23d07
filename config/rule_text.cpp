#include "config/rule_text.hpp"

#include <fmt/format.h>

#include "config/value.hpp"
#include "core/base/names.hpp"
#include "core/base/units.hpp"

namespace muster {
namespace {

void add(std::string& line, std::string_view key, std::string_view value) {
  line += fmt::format("{}{} = {}", line.empty() ? "" : ", ", key, value);
}

void add_bits(std::string& line, std::string_view key, uint64_t bits,
              const char* (*name_of)(uint32_t)) {
  if (bits == 0) return;
  Strings names;
  for (uint32_t i = 0; i < 64; ++i) {
    if ((bits >> i & 1) != 0) names.emplace_back(name_of(i));
  }
  add(line, key, quoted_list(names));
}

}  // namespace

std::string rule_text(const PolicyRule& rule) {
  std::string line;
  add_bits(line, "op", rule.ops, op_name);
  add_bits(line, "dtype", rule.dtypes, dtype_name);
  add_bits(line, "redop", rule.redops, redop_name);
  add_bits(line, "memory", rule.memory, memory_name);
  if (rule.bytes_from != 0 || rule.bytes_to != UINT64_MAX) {
    add(line, "bytes",
        fmt::format("\"{}..{}\"", format_bytes(rule.bytes_from),
                    rule.bytes_to == UINT64_MAX ? "" : format_bytes(rule.bytes_to)));
  }
  // 0 and 1 say the same of a number of ranks.
  if (rule.ranks_from > 1 || rule.ranks_to != UINT32_MAX) {
    add(line, "ranks",
        fmt::format("\"{}..{}\"", rule.ranks_from,
                    rule.ranks_to == UINT32_MAX ? "" : std::to_string(rule.ranks_to)));
  }
  if (!rule.group.empty()) add(line, "group", quoted(rule.group));
  if (rule.prefer) add(line, "prefer", quoted_list(*rule.prefer));
  if (rule.forbid) add(line, "forbid", quoted_list(*rule.forbid));
  return line;
}

}  // namespace muster

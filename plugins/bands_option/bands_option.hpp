// Option `bands` of a backend that chooses its algorithms by size: other limits than its table's,
// as "OPERATION/RANKS=BYTES", or BYTES:BYTES and so on where an operation has several limits;
// entries are separated by commas. `muster bench --tune` writes it.
#ifndef MUSTER_PLUGINS_BANDS_OPTION_BANDS_OPTION_HPP
#define MUSTER_PLUGINS_BANDS_OPTION_BANDS_OPTION_HPP

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "muster/names.h"
#include "muster/plugin.hpp"

namespace muster::bands_option {

// Parses one entry. how: what to write instead of one that means nothing.
class Entry {
 public:
  Entry(std::string_view text, const char* how) : text_(text), how_(how) {}

  // take(op, limits) where it is for this number of ranks: one limit at least, kLimits at most.
  // knows(op): whether the backend has limits for the operation.
  template <size_t kLimits, typename Knows, typename Take>
  void read(uint32_t ranks, const Knows& knows, const Take& take) const {
    const size_t slash = text_.find('/');
    const size_t equals = text_.find('=');
    if (slash == text_.npos || equals == text_.npos || equals < slash) refuse();
    muster_op op = MUSTER_OP_NONE + 1;
    while (op < MUSTER_OP_END && text_.substr(0, slash) != muster_op_name(op)) ++op;
    if (op == MUSTER_OP_END || !knows(op)) refuse();
    const auto for_ranks = number<uint32_t>(text_.substr(slash + 1, equals - slash - 1));
    std::vector<uint64_t> limits;
    std::string_view rest = text_.substr(equals + 1);
    while (true) {
      const size_t colon = std::min(rest.find(':'), rest.size());
      if (limits.size() == kLimits) refuse();
      limits.push_back(number<uint64_t>(rest.substr(0, colon)));
      if (colon == rest.size()) break;
      rest.remove_prefix(colon + 1);
    }
    if (for_ranks == ranks) take(op, limits);
  }

 private:
  template <typename Number>
  Number number(std::string_view text) const {
    Number number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) refuse();
    return number;
  }
  [[noreturn]] void refuse() const {
    plugin::fail(MUSTER_INVALID_ARGUMENT,
                 "option bands: '" + std::string(text_) + "' is not understood", how_);
  }

  std::string_view text_;
  const char* how_;
};

// Every entry of the option.
template <size_t kLimits, typename Knows, typename Take>
void read(std::string_view option, uint32_t ranks, const char* how, const Knows& knows,
          const Take& take) {
  while (!option.empty()) {
    const size_t comma = std::min(option.find(','), option.size());
    Entry(option.substr(0, comma), how).template read<kLimits>(ranks, knows, take);
    option.remove_prefix(std::min(comma + 1, option.size()));
  }
}

}  // namespace muster::bands_option

#endif

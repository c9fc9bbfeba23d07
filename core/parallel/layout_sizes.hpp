// The sizes of a layout: read from a text, completed for a world, or refused with the equation that
// fails.
//
// Pure; any thread. Equivalent to the options --tp, --pp, --ep ... of the engines.
#ifndef MUSTER_CORE_PARALLEL_LAYOUT_SIZES_HPP
#define MUSTER_CORE_PARALLEL_LAYOUT_SIZES_HPP

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/status.hpp"
#include "muster/parallel.h"

namespace muster {

// Every size, given or derived. dp * pp * tp = world, attn_dp * attn_cp * attn_tp = tp,
// moe_dp * ep * moe_tp = tp; dcp and shared_experts_tp divide tp.
struct LayoutSizes {
  uint32_t world = 1;
  uint32_t tp = 1;
  uint32_t pp = 1;
  uint32_t dp = 1;
  uint32_t attn_dp = 1;
  uint32_t attn_cp = 1;
  uint32_t attn_tp = 1;
  uint32_t ep = 1;
  uint32_t moe_dp = 1;
  uint32_t moe_tp = 1;
  uint32_t dcp = 1;
  uint32_t shared_experts_tp = 1;
};

// "tp=8,ep=4,attn_dp=2", blanks around words allowed; "" gives the defaults. What is not named
// stays 0.
Result<muster_layout_sizes> parse_layout(std::string_view text);

// Puts the defaults in place of zeros and works out what follows.
Result<LayoutSizes> complete_layout(const muster_layout_sizes& given, uint32_t world);

// "world", "tp", ... with all sizes.
std::vector<std::pair<std::string, uint32_t>> named_sizes(const LayoutSizes& sizes);
// All sizes as "world=8,tp=8,...": equal texts, equal layouts.
std::string layout_text(const LayoutSizes& sizes);

}  // namespace muster

#endif

#include "core/base/names.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace muster {
namespace {

// The values from `first` on may be written; earlier ones only stand for nothing given.
std::optional<uint32_t> find_in(const char* (*name_of)(uint32_t), uint32_t first, uint32_t end,
                                std::string_view name) {
  for (uint32_t value = first; value < end; ++value) {
    if (name == name_of(value)) return value;
  }
  return std::nullopt;
}

std::string list_of(const char* (*name_of)(uint32_t), uint32_t end) {
  std::string text;
  for (uint32_t value = 1; value < end; ++value) {
    text.append(value == 1 ? "" : ", ").append(name_of(value));
  }
  return text;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row.back();
}

}  // namespace

std::optional<muster_op> op_from_name(std::string_view name) {
  return find_in(muster_op_name, 1, MUSTER_OP_END, name);
}
std::optional<muster_dtype> dtype_from_name(std::string_view name) {
  return find_in(muster_dtype_name, 1, MUSTER_DTYPE_END, name);
}
std::optional<muster_redop> redop_from_name(std::string_view name) {
  return find_in(muster_redop_name, 1, MUSTER_REDOP_END, name);
}
std::optional<muster_memory> memory_from_name(std::string_view name) {
  return find_in(muster_memory_name, 1, MUSTER_MEMORY_END, name);
}
std::optional<muster_phase> phase_from_name(std::string_view name) {
  return find_in(muster_phase_name, 0, MUSTER_PHASE_END, name);
}
std::optional<muster_determinism> determinism_from_name(std::string_view name) {
  return find_in(muster_determinism_name, 0, MUSTER_DETERMINISM_END, name);
}

std::string all_op_names() { return list_of(muster_op_name, MUSTER_OP_END); }
std::string all_dtype_names() { return list_of(muster_dtype_name, MUSTER_DTYPE_END); }
std::string all_redop_names() { return list_of(muster_redop_name, MUSTER_REDOP_END); }
std::string all_memory_names() { return list_of(muster_memory_name, MUSTER_MEMORY_END); }

std::string_view nearest_name(std::string_view name, std::span<const std::string_view> candidates) {
  std::string_view best;
  size_t best_distance = std::max<size_t>(2, name.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace muster

#include "core/tensors/shape.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/base/names.hpp"

namespace muster {

std::optional<uint64_t> elements_of(ShapeView shape) {
  // First, for what overflows before its zero is a tensor without elements all the same.
  if (std::find(shape.begin(), shape.end(), uint64_t{0}) != shape.end()) return 0;
  uint64_t elements = 1;
  for (const uint64_t size : shape) {
    if (__builtin_mul_overflow(elements, size, &elements)) return std::nullopt;
  }
  return elements;
}

std::optional<uint64_t> bytes_of(ShapeView shape, muster_dtype dtype) {
  const std::optional<uint64_t> elements = elements_of(shape);
  uint64_t bytes = 0;
  if (!elements || __builtin_mul_overflow(*elements, dtype_size(dtype), &bytes) ||
      bytes > static_cast<uint64_t>(INT64_MAX)) {
    return std::nullopt;
  }
  return bytes;
}

std::string shape_text(ShapeView shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

}  // namespace muster

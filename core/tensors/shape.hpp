// Shapes of tensors: row-major, sizes in elements, slowest dimension first. Pure; any thread.
#ifndef MUSTER_CORE_TENSORS_SHAPE_HPP
#define MUSTER_CORE_TENSORS_SHAPE_HPP

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "muster/types.h"

namespace muster {

using ShapeView = std::span<const uint64_t>;

// The number of elements: 1 of an empty shape, 0 when any size is 0; nothing when it does not fit
// in 64 bits.
std::optional<uint64_t> elements_of(ShapeView shape);
// The same in bytes; nothing above 63 bits, which is what a call can move.
std::optional<uint64_t> bytes_of(ShapeView shape, muster_dtype dtype);

// "[2, 3]".
std::string shape_text(ShapeView shape);

}  // namespace muster

#endif

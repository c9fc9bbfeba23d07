#include "core/base/units.hpp"

#include <fmt/format.h>

#include <charconv>

namespace muster {

Result<uint64_t> parse_bytes(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  int shift = -1;
  if (unit.empty() || unit == "B") shift = 0;
  if (unit == "K" || unit == "k" || unit == "KiB") shift = 10;
  if (unit == "M" || unit == "MiB") shift = 20;
  if (unit == "G" || unit == "GiB") shift = 30;
  if (unit == "T" || unit == "TiB") shift = 40;
  if (error == std::errc::result_out_of_range || (shift > 0 && number > (UINT64_MAX >> shift))) {
    return Status(MUSTER_OUT_OF_RANGE, fmt::format("size '{}' does not fit in 64 bits", text));
  }
  if (error != std::errc() || shift < 0) {
    return Status(MUSTER_INVALID_ARGUMENT, fmt::format("'{}' is not a size", text),
                  "write a number of bytes with an optional unit: 512, 64K, 1MiB, 2G");
  }
  return number << shift;
}

std::string format_bytes(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < std::size(kUnits)) {
    bytes /= 1024;
    ++unit;
  }
  return fmt::format("{}{}", bytes, kUnits[unit]);
}

}  // namespace muster

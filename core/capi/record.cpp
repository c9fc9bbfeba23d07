#include "core/capi/record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace muster {
namespace {

// More than any struct of the boundary will ever have: a size above it was never set.
constexpr uint32_t kMost = 4096;

uint32_t size_of(const void* given) {
  uint32_t size = 0;
  std::memcpy(&size, given, sizeof(size));
  return size;
}

}  // namespace

bool copy_record(const void* given, void* out, uint32_t known) {
  const uint32_t size = size_of(given);
  std::memcpy(out, given, std::min(size, known));
  if (size > kMost) return false;
  const auto* const bytes = static_cast<const unsigned char*>(given);
  return std::all_of(bytes + std::min(size, known), bytes + size,
                     [](unsigned char byte) { return byte == 0; });
}

Status read_record(const std::string& name, const char* macro, uint32_t least, const void* given,
                   void* out, uint32_t known) {
  const uint32_t size = size_of(given);
  if (size < least || size > kMost) {
    return Status(MUSTER_INVALID_ARGUMENT, name + ".struct_size is not set",
                  fmt::format("set it to {}", macro));
  }
  if (copy_record(given, out, known)) return Status();
  return Status(MUSTER_UNIMPLEMENTED,
                fmt::format("{} asks for what this runtime, of ABI {}.{}, does not know: it has {} "
                            "bytes, of which those after {} are not zero",
                            name, MUSTER_ABI_MAJOR, MUSTER_ABI_MINOR, size, known),
                "leave the fields of later headers zero, or update muster");
}

}  // namespace muster

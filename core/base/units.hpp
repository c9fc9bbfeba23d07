// Sizes in bytes as people write them: "64K", "1MiB", "1048576". K, M, G and KiB, MiB, GiB are
// powers of 1024, as in nccl-tests.
#ifndef MUSTER_CORE_BASE_UNITS_HPP
#define MUSTER_CORE_BASE_UNITS_HPP

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/status.hpp"

namespace muster {

Result<uint64_t> parse_bytes(std::string_view text);
// The shortest exact form: "1MiB", "1536", "64KiB".
std::string format_bytes(uint64_t bytes);

}  // namespace muster

#endif

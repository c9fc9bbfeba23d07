// A 128-bit digest of bytes, equal on every machine: how ranks compare what they hold without
// sending it.
#ifndef MUSTER_CORE_BASE_DIGEST_HPP
#define MUSTER_CORE_BASE_DIGEST_HPP

#include <cstdint>
#include <string>
#include <string_view>

namespace muster {

struct Digest {
  uint64_t low = 0;
  uint64_t high = 0;
  friend bool operator==(const Digest&, const Digest&) = default;
  // 32 hexadecimal digits; `short_text` the first 8.
  std::string text() const;
  std::string short_text() const { return text().substr(0, 8); }
};

// XXH3, 128 bits. Not cryptographic.
Digest digest_of(std::string_view bytes);

}  // namespace muster

#endif

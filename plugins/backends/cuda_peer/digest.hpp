// A digest for names and for noticing damage; not against people. FNV-1a, twice, 128 bits.
#ifndef MUSTER_PLUGINS_CUDA_PEER_DIGEST_HPP
#define MUSTER_PLUGINS_CUDA_PEER_DIGEST_HPP

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace muster::cuda_peer {

inline std::string digest_of(std::string_view text) {
  uint64_t a = 0xcbf29ce484222325u;
  uint64_t b = 0x9ae16a3b2f90404fu;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    a = (a ^ byte) * 0x100000001b3u;
    b = (b ^ (byte + (a >> 56))) * 0x100000001b3u;
  }
  char out[33];
  std::snprintf(out, sizeof(out), "%016llx%016llx", static_cast<unsigned long long>(a),
                static_cast<unsigned long long>(b));
  return out;
}

}  // namespace muster::cuda_peer

#endif

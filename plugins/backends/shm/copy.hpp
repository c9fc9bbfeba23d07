// Moving bytes: memcpy, but that empty buffers may be NULL; and around the caches for what would
// push everything else out of them, or goes to cores far away.
#ifndef MUSTER_PLUGINS_SHM_COPY_HPP
#define MUSTER_PLUGINS_SHM_COPY_HPP

#include <cstdint>
#include <cstring>

#include "muster/kernels.h"
#include "muster/plugin.hpp"
#include "plugins/backends/shm/claiming_copy.hpp"
#include "plugins/backends/shm/demotion.hpp"
#include "plugins/backends/shm/exchanging_copy.hpp"
#include "plugins/backends/shm/unfenced_copy.hpp"

namespace muster::shm {

inline void copy_bytes(void* to, const void* from, uint64_t bytes) {
  if (bytes != 0) std::memcpy(to, from, bytes);
}
// As memcpy, in several streams: more lines are asked for at once, which pays where each takes long
// to come.
inline void copy_in_streams(void* to, const void* from, uint64_t bytes) {
  constexpr uint64_t kStreams = 4;
  constexpr uint64_t kLine = 64;
  auto* const d = static_cast<unsigned char*>(to);
  const auto* const s = static_cast<const unsigned char*>(from);
  const uint64_t part = bytes / (kStreams * kLine) * kLine;
  for (uint64_t i = 0; i < part; i += kLine) {
    for (uint64_t stream = 0; stream < kStreams; ++stream) {
      std::memcpy(d + stream * part + i, s + stream * part + i, kLine);
    }
  }
  copy_bytes(d + kStreams * part, s + kStreams * part, bytes - kStreams * part);
}

// The runtime's copy kernels; plain memcpy where it has none.
class CopyTable {
 public:
  // stream_bytes: results of at least this size do not stay in the caches anyhow.
  // far_bytes: what is shown to far ranks goes around the caches from this size on.
  void resolve(const plugin::Host& host, uint64_t stream_bytes, uint64_t far_bytes) {
    stream_bytes_ = stream_bytes;
    far_bytes_ = far_bytes;
    claiming_ = claiming_copy();
    taking_over_ = taking_over_copy();
    unfenced_ = unfenced_copy();
    exchanging_ = exchanging_copy();
    demoted_bytes_ = demotes_lines() ? kDemotedTo : 0;
    streaming_ = host.kernel<muster_host_copy>(MUSTER_FAMILY_HOST_COPY, MUSTER_DTYPE_NONE,
                                               MUSTER_REDOP_NONE, MUSTER_ALGORITHM_STREAMING);
    if (streaming_ == nullptr) stream_bytes_ = far_bytes_ = UINT64_MAX;
  }
  // What another rank has shown, into a part of a result of `whole` bytes.
  void taken(void* to, const void* from, uint64_t bytes, uint64_t whole, bool far) const {
    if (far && whole < stream_bytes_ && bytes >= far_bytes_) {
      copy_in_streams(to, from, bytes);
    } else {
      result(to, from, bytes, whole);
    }
  }
  // The same where this rank writes next into what was shown.
  void taken_over(void* to, const void* from, uint64_t bytes, uint64_t whole) const {
    if (taking_over_ == nullptr || whole >= stream_bytes_) {
      result(to, from, bytes, whole);
    } else {
      taking_over_(to, from, bytes);
    }
  }
  // Whether far ranks show and take parts of a result of `whole` bytes at once, by exchanged().
  bool exchanges(uint64_t whole) const {
    return whole < stream_bytes_ && whole >= far_bytes_ && exchanging_ != nullptr;
  }
  void exchanged(const Copy& shown, const Copy& taken, const Copy& own) const {
    exchanging_(shown, taken, own);
  }
  // Whether a result of `whole` bytes is written in the usual way.
  bool cached(uint64_t whole) const { return whole < stream_bytes_; }
  // A part of a result of `whole` bytes.
  void result(void* to, const void* from, uint64_t bytes, uint64_t whole) const {
    if (whole >= stream_bytes_) {
      streaming_(to, from, bytes);
    } else {
      copy_bytes(to, from, bytes);
    }
  }
  // Whether it goes around the caches to be shown. far: distance.hpp.
  bool shown_around(uint64_t bytes, bool far) const { return far && bytes >= far_bytes_; }
  // Into memory that other ranks read next.
  void shown(void* to, const void* from, uint64_t bytes, bool around) const {
    if (around) {
      streaming_(to, from, bytes);
    } else if (claiming_ != nullptr && bytes >= kClaimedFrom && bytes <= kClaimedTo) {
      claiming_(to, from, bytes);
    } else {
      copy_bytes(to, from, bytes);
    }
    if (bytes <= demoted_bytes_) demote_lines(to, bytes);
  }
  // A line that was written for others to read once.
  void told(const void* line) const {
    if (demoted_bytes_ != 0) demote_lines(line, 1);
  }
  // Whether a result of `whole` bytes is written by around(), block by block; then fence_copies().
  bool goes_around(uint64_t whole) const { return whole >= stream_bytes_ && unfenced_ != nullptr; }
  void around(void* to, const void* from, uint64_t bytes) const { unfenced_(to, from, bytes); }
  // This rank's own part of it. In place there is nothing to do.
  void own(void* to, const void* from, uint64_t bytes, uint64_t whole) const {
    if (to != from && bytes != 0) result(to, from, bytes, whole);
  }

 private:
  // Fewer lines cost less than the loop; more do not lie in the nearest caches any more.
  static constexpr uint64_t kClaimedFrom = 512;
  static constexpr uint64_t kClaimedTo = 64 * 1024;
  static constexpr uint64_t kDemotedTo = 2048;  // with 1 KiB less is gained, 4 KiB are slower

  muster_host_copy streaming_ = nullptr;
  muster_host_copy claiming_ = nullptr;
  muster_host_copy taking_over_ = nullptr;
  muster_host_copy unfenced_ = nullptr;
  ExchangingCopy exchanging_ = nullptr;
  uint64_t demoted_bytes_ = 0;  // what is shown is demoted up to this size; 0: nothing is
  uint64_t stream_bytes_ = UINT64_MAX;
  uint64_t far_bytes_ = UINT64_MAX;
};

}  // namespace muster::shm

#endif

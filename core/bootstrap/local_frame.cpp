#include "core/bootstrap/local_frame.hpp"

#include <fmt/format.h>

#include <cstring>

namespace muster {
namespace {

constexpr uint32_t kMagic = 0x6d6c6301;
constexpr uint32_t kMostKeyBytes = 4096;
constexpr uint64_t kMostValueBytes = uint64_t{1} << 30;

}  // namespace

std::string LocalFrame::encode() const {
  LocalHeader header{
      kMagic, verb, id, generation, rank, code, static_cast<uint32_t>(key.size()), value.size()};
  std::string bytes;
  bytes.reserve(sizeof(header) + key.size() + value.size());
  bytes.append(reinterpret_cast<const char*>(&header), sizeof(header));
  return bytes.append(key).append(value);
}

Status check_local_frame(std::string_view key, uint64_t value_bytes) {
  if (key.size() > kMostKeyBytes) {
    return Status(MUSTER_OUT_OF_RANGE,
                  fmt::format("a key of {} bytes, at most {} fit", key.size(), kMostKeyBytes));
  }
  if (value_bytes > kMostValueBytes) {
    return Status(
        MUSTER_OUT_OF_RANGE,
        fmt::format("'{}' has {} bytes, at most {} fit", key, value_bytes, kMostValueBytes),
        "the bootstrap carries set-up only; send data with a collective");
  }
  return Status();
}

Result<std::optional<LocalFrame>> LocalFrameReader::next() {
  std::optional<LocalFrame> frame;
  size_t there = pending_.size() - used_;
  if (there < sizeof(LocalHeader)) return frame;
  LocalHeader header;
  std::memcpy(&header, pending_.data() + used_, sizeof(header));
  if (header.magic != kMagic || header.key_bytes > kMostKeyBytes ||
      header.value_bytes > kMostValueBytes) {
    return Status(MUSTER_MISMATCH, "the other end of the launcher's socket speaks something else",
                  "use the muster command and the libmuster of one version");
  }
  size_t whole = sizeof(header) + header.key_bytes + header.value_bytes;
  if (there < whole) return frame;
  const char* body = pending_.data() + used_ + sizeof(header);
  frame = LocalFrame{header.verb,
                     header.id,
                     header.generation,
                     header.rank,
                     header.code,
                     std::string(body, header.key_bytes),
                     std::string(body + header.key_bytes, header.value_bytes)};
  used_ += whole;
  return frame;
}

}  // namespace muster

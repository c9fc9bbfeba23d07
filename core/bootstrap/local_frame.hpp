// What `muster run` and its children say to each other over one stream socket per child: frames of
// a fixed header, a key and a value.
//
// Both ends run on one machine and come from one build or from builds that share the magic number,
// which grows with every change of the frame. Thread rule: as plain values.
#ifndef MUSTER_CORE_BOOTSTRAP_LOCAL_FRAME_HPP
#define MUSTER_CORE_BOOTSTRAP_LOCAL_FRAME_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/status.hpp"

namespace muster {

enum class LocalVerb : uint32_t {
  kOpen = 1,   // rank; reply: generation, and as value the size of the world
  kLeave = 2,  // generation
  kPut = 3,    // generation, key, value
  kGet = 4,    // generation, rank, key; reply: value
  kReply = 5,  // code 0, or code and the cause as value
};

struct LocalHeader {
  uint32_t magic;
  LocalVerb verb;
  uint64_t id;  // of the request; the reply repeats it
  uint32_t generation;
  uint32_t rank;
  uint32_t code;
  uint32_t key_bytes;
  uint64_t value_bytes;
};
static_assert(sizeof(LocalHeader) == 40);

struct LocalFrame {
  LocalVerb verb = LocalVerb::kReply;
  uint64_t id = 0;
  uint32_t generation = 0;
  uint32_t rank = 0;
  uint32_t code = MUSTER_OK;
  std::string key;
  std::string value;

  std::string encode() const;
};

// Checked before anything is sent, so that the other end never has to refuse.
Status check_local_frame(std::string_view key, uint64_t value_bytes);

// Cuts a stream of bytes into frames.
class LocalFrameReader {
 public:
  void append(const char* data, size_t bytes) {
    pending_.erase(0, used_);
    used_ = 0;
    pending_.append(data, bytes);
  }
  // The next whole frame, nothing when more bytes are needed, or why the stream is not one of
  // frames.
  Result<std::optional<LocalFrame>> next();

 private:
  std::string pending_;
  size_t used_ = 0;
};

}  // namespace muster

#endif

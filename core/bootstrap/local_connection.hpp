// A rank's end of the local bootstrap: requests to the launcher over the one socket that this
// process was started with.
//
// Shared by all runtimes of the process and by all their threads: requests carry numbers, and
// whichever thread waits reads for all. No thread of its own. Stays open until the process ends, so
// that the next runtime can join. Thread rule: any thread. Equivalent to a PMI client.
#ifndef MUSTER_CORE_BOOTSTRAP_LOCAL_CONNECTION_HPP
#define MUSTER_CORE_BOOTSTRAP_LOCAL_CONNECTION_HPP

#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "core/base/status.hpp"
#include "core/base/unique_fd.hpp"
#include "core/bootstrap/local_frame.hpp"

namespace muster {

class LocalConnection {
 public:
  LocalConnection(UniqueFd fd, uint32_t rank);
  LocalConnection(const LocalConnection&) = delete;
  LocalConnection& operator=(const LocalConnection&) = delete;

  uint32_t rank() const { return rank_; }
  // Joins the world once more.
  struct Joined {
    uint32_t generation;
    uint32_t size;
  };
  Result<Joined> open(uint64_t deadline_ns);
  Status leave(uint32_t generation, uint64_t deadline_ns);
  Status put(uint32_t generation, std::string key, std::string value);
  Result<std::string> get(uint32_t generation, uint32_t from_rank, std::string key,
                          uint64_t deadline_ns);

 private:
  // Sends and waits for the answer; DEADLINE_EXCEEDED without a cause of its own: the callers know
  // what was waited for.
  Result<LocalFrame> ask(LocalFrame request, uint64_t deadline_ns);
  Status send_whole(const std::string& bytes, uint64_t deadline_ns);
  // Reads once, outside the lock; the calling thread is the only reader.
  void read_once(std::unique_lock<std::mutex>& lock, uint64_t deadline_ns);
  void take_frames();

  const UniqueFd fd_;
  const uint32_t rank_;
  const pid_t pid_;
  std::mutex send_mutex_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  uint32_t next_id_ = 0;
  bool reading_ = false;
  Status broken_;
  LocalFrameReader reader_;
  std::map<uint64_t, std::optional<LocalFrame>> asked_;
};

}  // namespace muster

#endif

#include "core/bootstrap/local_connection.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>

#include "core/bootstrap/deadline.hpp"

namespace muster {
namespace {

// The launcher answers a put at once; when it does not, it hangs.
constexpr std::chrono::seconds kPutBound{30};

Status launcher_gone(const std::string& how) {
  return Status(MUSTER_PEER_LOST, fmt::format("the connection to muster run is lost: {}", how),
                "see whether muster run was killed");
}

}  // namespace

LocalConnection::LocalConnection(UniqueFd fd, uint32_t rank)
    : fd_(std::move(fd)), rank_(rank), pid_(getpid()) {}

Result<LocalConnection::Joined> LocalConnection::open(uint64_t deadline_ns) {
  LocalFrame request;
  request.verb = LocalVerb::kOpen;
  request.rank = rank_;
  Result<LocalFrame> reply = ask(std::move(request), deadline_ns);
  if (!reply.ok()) return reply.status().within("joining the world of muster run");
  Joined joined{reply->generation, 0};
  const std::string& size = reply->value;
  std::from_chars(size.data(), size.data() + size.size(), joined.size);
  return joined;
}

Status LocalConnection::leave(uint32_t generation, uint64_t deadline_ns) {
  LocalFrame request;
  request.verb = LocalVerb::kLeave;
  request.generation = generation;
  return ask(std::move(request), deadline_ns).take_status();
}

Status LocalConnection::put(uint32_t generation, std::string key, std::string value) {
  LocalFrame request;
  request.verb = LocalVerb::kPut;
  request.generation = generation;
  request.key = std::move(key);
  request.value = std::move(value);
  return ask(std::move(request), deadline_after(kPutBound)).take_status();
}

Result<std::string> LocalConnection::get(uint32_t generation, uint32_t from_rank, std::string key,
                                         uint64_t deadline_ns) {
  LocalFrame request;
  request.verb = LocalVerb::kGet;
  request.generation = generation;
  request.rank = from_rank;
  request.key = key;
  Result<LocalFrame> reply = ask(std::move(request), deadline_ns);
  if (reply.ok()) return std::move(reply->value);
  if (reply.status().code() != MUSTER_DEADLINE_EXCEEDED) return reply.take_status();
  return Status(
      MUSTER_DEADLINE_EXCEEDED, fmt::format("rank {} has not given '{}' in time", from_rank, key),
      "see whether that rank makes the same call (at first muster_init), or is stuck before it");
}

Result<LocalFrame> LocalConnection::ask(LocalFrame request, uint64_t deadline_ns) {
  if (getpid() != pid_) {
    return Status(MUSTER_FAILED_PRECONDITION,
                  "a forked child uses the world that its parent process joined",
                  "call muster_init in the process that muster run started, after any fork");
  }
  MUSTER_TRY(check_local_frame(request.key, request.value.size()));
  std::unique_lock lock(mutex_);
  if (!broken_.ok()) return broken_.copy();
  // The process id tells apart the answers when two processes were left with one socket.
  uint64_t id = uint64_t{static_cast<uint32_t>(pid_)} << 32 | next_id_++;
  request.id = id;
  asked_.emplace(id, std::nullopt);
  lock.unlock();
  Status sent = send_whole(request.encode(), deadline_ns);
  lock.lock();
  if (!sent.ok() && broken_.ok()) broken_ = std::move(sent);
  while (true) {
    auto answer = asked_.find(id);
    if (answer->second.has_value()) {
      LocalFrame reply = std::move(*answer->second);
      asked_.erase(answer);
      if (reply.code != MUSTER_OK) return Status(reply.code, reply.value);
      return reply;
    }
    if (!broken_.ok() || deadline_passed(deadline_ns)) {
      asked_.erase(answer);
      if (!broken_.ok()) return broken_.copy();
      return Status(MUSTER_DEADLINE_EXCEEDED, "muster run has not answered in time");
    }
    if (reading_) {
      changed_.wait_until(lock, deadline_point(deadline_ns));
    } else {
      reading_ = true;
      read_once(lock, deadline_ns);
      reading_ = false;
      // Also wakes the one that reads next, when this thread has what it wanted.
      changed_.notify_all();
    }
  }
}

Status LocalConnection::send_whole(const std::string& bytes, uint64_t deadline_ns) {
  std::lock_guard sending(send_mutex_);
  size_t sent = 0;
  while (sent < bytes.size()) {
    ssize_t now =
        send(fd_.get(), bytes.data() + sent, bytes.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (now >= 0) {
      sent += static_cast<size_t>(now);
    } else if (errno == EAGAIN) {
      if (deadline_passed(deadline_ns)) {
        // A frame that is half sent cannot be taken back.
        return launcher_gone("it has stopped reading");
      }
      pollfd writable{.fd = fd_.get(), .events = POLLOUT, .revents = 0};
      poll(&writable, 1, deadline_poll_ms(deadline_ns, 1000));
    } else if (errno != EINTR) {
      return launcher_gone(std::strerror(errno));
    }
  }
  return Status();
}

void LocalConnection::read_once(std::unique_lock<std::mutex>& lock, uint64_t deadline_ns) {
  lock.unlock();
  std::array<char, 64 * 1024> chunk;
  pollfd readable{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  ssize_t got = -1;
  int failure = EAGAIN;
  if (poll(&readable, 1, deadline_poll_ms(deadline_ns, 1000)) > 0) {
    got = recv(fd_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    failure = errno;
  }
  lock.lock();
  if (got > 0) {
    reader_.append(chunk.data(), static_cast<size_t>(got));
    take_frames();
  } else if (got == 0) {
    broken_ = launcher_gone("it has closed");
  } else if (failure != EAGAIN && failure != EINTR) {
    broken_ = launcher_gone(std::strerror(failure));
  }
}

void LocalConnection::take_frames() {
  while (broken_.ok()) {
    Result<std::optional<LocalFrame>> frame = reader_.next();
    if (!frame.ok()) {
      broken_ = frame.take_status();
    } else if (!frame->has_value()) {
      return;
    } else if ((*frame)->id >> 32 != static_cast<uint32_t>(pid_)) {
      broken_ =
          Status(MUSTER_FAILED_PRECONDITION,
                 fmt::format("process {} uses the launcher's socket of rank {} at the same time",
                             (*frame)->id >> 32, rank_),
                 "let one process per rank of muster run call muster_init");
    } else {
      // An answer that came after its deadline has nobody left to take it.
      auto asked = asked_.find((*frame)->id);
      if (asked != asked_.end()) asked->second = std::move(**frame);
    }
  }
}

}  // namespace muster

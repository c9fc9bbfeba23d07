#include "core/bootstrap/local_server.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace muster {
namespace {

Status system_failure(const char* what) {
  return Status(MUSTER_RESOURCE_EXHAUSTED, fmt::format("{}: {}", what, std::strerror(errno)),
                "raise the limit of open files (ulimit -n) or start fewer ranks");
}

}  // namespace

Result<std::unique_ptr<LocalServer>> LocalServer::create(uint32_t size) {
  if (size == 0) return Status(MUSTER_INVALID_ARGUMENT, "a world of 0 ranks");
  std::unique_ptr<LocalServer> server(new LocalServer(size));
  server->epoll_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  if (!server->epoll_.valid()) return system_failure("epoll_create1");
  return server;
}

Result<UniqueFd> LocalServer::connect_rank(uint32_t rank) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return system_failure("socketpair");
  }
  peers_[rank].fd = UniqueFd(ends[0]);
  UniqueFd theirs(ends[1]);
  epoll_event event{.events = EPOLLIN, .data = {.u32 = rank}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, ends[0], &event) != 0) {
    peers_[rank].fd.reset();
    return system_failure("epoll_ctl");
  }
  return theirs;
}

void LocalServer::serve() {
  std::array<epoll_event, 64> events;
  int count = epoll_wait(epoll_.get(), events.data(), events.size(), 0);
  for (int i = 0; i < count; ++i) {
    uint32_t rank = events[i].data.u32;
    if (!peers_[rank].fd.valid()) continue;
    if ((events[i].events & EPOLLOUT) != 0) flush(rank);
    std::string gone = receive(rank);
    if (!gone.empty()) drop(rank, gone);
  }
  answer_waiting();
}

void LocalServer::lose(uint32_t rank, const std::string& cause) {
  if (peers_[rank].fd.valid()) receive(rank);
  drop(rank, cause);
  answer_waiting();
}

std::string LocalServer::receive(uint32_t rank) {
  Peer& peer = peers_[rank];
  std::array<char, 64 * 1024> chunk;
  while (true) {
    ssize_t got = recv(peer.fd.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (got > 0) {
      peer.reader.append(chunk.data(), static_cast<size_t>(got));
      std::string gone = receive_frames(rank);
      if (!gone.empty()) return gone;
    } else if (got == 0 || errno == ECONNRESET) {
      return store_.has_left_all(rank) ? "it closed its connection to the launcher"
                                       : "its connection closed while it was in the world";
    } else if (errno == EAGAIN) {
      return {};
    } else if (errno != EINTR) {
      return fmt::format("its connection broke: {}", std::strerror(errno));
    }
  }
}

std::string LocalServer::receive_frames(uint32_t rank) {
  while (true) {
    Result<std::optional<LocalFrame>> frame = peers_[rank].reader.next();
    if (!frame.ok()) return frame.status().cause();
    if (!frame->has_value()) return {};
    handle(rank, std::move(**frame));
  }
}

void LocalServer::handle(uint32_t rank, LocalFrame request) {
  switch (request.verb) {
    case LocalVerb::kOpen:
      if (request.rank != rank) {
        return reply(rank, request,
                     Status(MUSTER_INVALID_ARGUMENT,
                            fmt::format("the connection of rank {} is used by a process that calls "
                                        "itself rank {}",
                                        rank, request.rank)));
      }
      request.generation = store_.open(rank);
      return reply(rank, request, Status(), std::to_string(store_.size()));
    case LocalVerb::kLeave:
      store_.leave(request.generation, rank);
      return reply(rank, request, Status());
    case LocalVerb::kPut:
      return reply(
          rank, request,
          store_.put(request.generation, rank, std::move(request.key), std::move(request.value)));
    case LocalVerb::kGet:
      if (!answer_get(rank, request)) peers_[rank].waiting.push_back(std::move(request));
      return;
    case LocalVerb::kReply:
      break;
  }
  reply(rank, request,
        Status(MUSTER_INVALID_ARGUMENT, "a request that the launcher does not know"));
}

bool LocalServer::answer_get(uint32_t rank, const LocalFrame& request) {
  Result<KeyStore::Value> value = store_.get(request.generation, request.rank, request.key);
  if (!value.ok()) {
    reply(rank, request, value.take_status());
    return true;
  }
  if (*value == nullptr) return false;
  reply(rank, request, Status(), **value);
  return true;
}

void LocalServer::answer_waiting() {
  for (uint32_t rank = 0; rank < peers_.size(); ++rank) {
    std::erase_if(peers_[rank].waiting,
                  [&](const LocalFrame& request) { return answer_get(rank, request); });
  }
}

void LocalServer::reply(uint32_t rank, const LocalFrame& request, Status status,
                        std::string value) {
  LocalFrame frame;
  frame.id = request.id;
  frame.generation = request.generation;
  frame.rank = rank;
  frame.code = status.code();
  frame.value = status.ok() ? std::move(value) : status.cause();
  peers_[rank].unsent += frame.encode();
  flush(rank);
}

void LocalServer::flush(uint32_t rank) {
  Peer& peer = peers_[rank];
  size_t sent = 0;
  while (peer.fd.valid() && sent < peer.unsent.size()) {
    ssize_t now = send(peer.fd.get(), peer.unsent.data() + sent, peer.unsent.size() - sent,
                       MSG_DONTWAIT | MSG_NOSIGNAL);
    if (now < 0 && errno == EINTR) continue;
    if (now < 0 && errno == EAGAIN) break;
    // A broken connection shows when it is next read.
    sent = now < 0 ? peer.unsent.size() : sent + static_cast<size_t>(now);
  }
  peer.unsent.erase(0, sent);
  bool wants = !peer.unsent.empty();
  if (!peer.fd.valid() || wants == peer.wants_writable) return;
  peer.wants_writable = wants;
  epoll_event event{.events = EPOLLIN | (wants ? uint32_t{EPOLLOUT} : 0u), .data = {.u32 = rank}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, peer.fd.get(), &event);
}

void LocalServer::drop(uint32_t rank, const std::string& cause) {
  Peer& peer = peers_[rank];
  // Removed by name: a forked copy of the descriptor would keep the events of a closed one coming.
  if (peer.fd.valid()) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, peer.fd.get(), nullptr);
  peer.fd.reset();
  peer.waiting.clear();
  peer.unsent.clear();
  store_.lose(rank, cause);
}

}  // namespace muster

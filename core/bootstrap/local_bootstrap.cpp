// The bootstrap of `muster run`: the table over the connection that the launcher hands its children
// in MUSTER_LOCAL_FD, MUSTER_LOCAL_RANK and MUSTER_LOCAL_SIZE.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/log.hpp"
#include "core/bootstrap/local_connection.hpp"
#include "core/bootstrap/world.hpp"

namespace muster {
namespace {

struct Place {
  uint32_t fd;
  uint32_t rank;
  uint32_t size;
};

std::optional<uint32_t> number_of(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  uint32_t number = 0;
  const char* end = text + std::strlen(text);
  auto [stop, error] = std::from_chars(text, end, number);
  if (error != std::errc() || stop != end || stop == text) return std::nullopt;
  return number;
}

std::optional<Place> place_of_process() {
  auto fd = number_of("MUSTER_LOCAL_FD");
  auto rank = number_of("MUSTER_LOCAL_RANK");
  auto size = number_of("MUSTER_LOCAL_SIZE");
  if (!fd || !rank || !size || *rank >= *size || *fd > INT32_MAX) return std::nullopt;
  return Place{*fd, *rank, *size};
}

bool is_stream_socket(int fd) {
  int domain = 0;
  int type = 0;
  socklen_t length = sizeof(int);
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 &&
         getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && domain == AF_UNIX &&
         type == SOCK_STREAM;
}

// The one connection of the process. Never freed: the next runtime joins through it.
struct Shared {
  std::mutex mutex;
  LocalConnection* connection = nullptr;
  std::vector<LocalConnection*> earlier;  // of other sockets, perhaps still in use
  int fd = -1;
  pid_t pid = 0;
  dev_t device = 0;
  ino_t socket = 0;
};

Shared& shared() {
  static auto* the_one = new Shared;
  return *the_one;
}

Result<LocalConnection*> connection_of(const Place& place) {
  int fd = static_cast<int>(place.fd);
  Shared& one = shared();
  std::lock_guard lock(one.mutex);
  struct stat now;
  if (fstat(fd, &now) != 0 || !is_stream_socket(fd)) {
    return Status(MUSTER_FAILED_PRECONDITION,
                  fmt::format("MUSTER_LOCAL_FD is {}, which is not the socket of muster run (any "
                              "more)",
                              fd),
                  "let only the program that muster run starts, or one that inherits its "
                  "descriptors, call muster_init, and do not close descriptors of others");
  }
  bool same = one.connection != nullptr && one.fd == fd && one.device == now.st_dev &&
              one.socket == now.st_ino && one.connection->rank() == place.rank;
  if (same && one.pid == getpid()) return one.connection;
  if (same) {
    return Status(MUSTER_FAILED_PRECONDITION,
                  fmt::format("process {} joined as rank {} and has forked this process", one.pid,
                              place.rank),
                  "call muster_init in one process per rank");
  }
  // Programs that this one starts are not ranks.
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  if (one.connection != nullptr) one.earlier.push_back(one.connection);
  one.connection = new LocalConnection(UniqueFd(fd), place.rank);
  one.fd = fd;
  one.pid = getpid();
  one.device = now.st_dev;
  one.socket = now.st_ino;
  return one.connection;
}

struct LocalWorld {
  LocalConnection* connection;
  uint32_t generation;
  uint32_t size;
};

LocalWorld& of(muster_world* world) { return *reinterpret_cast<LocalWorld*>(world); }

uint32_t available(muster_instance*) {
  if (std::getenv("MUSTER_LOCAL_FD") == nullptr) return 0;
  auto place = place_of_process();
  if (place && is_stream_socket(static_cast<int>(place->fd))) return 1;
  log_warn(
      "bootstrap local: MUSTER_LOCAL_FD, _RANK and _SIZE do not name a socket of muster run in "
      "this "
      "process; not a rank of it");
  return 0;
}

muster_status* open(muster_instance*, uint64_t deadline_ns, muster_world** out) {
  auto place = place_of_process();
  if (!place) {
    return Status(MUSTER_FAILED_PRECONDITION,
                  "MUSTER_LOCAL_FD, MUSTER_LOCAL_RANK and MUSTER_LOCAL_SIZE do not name a place in "
                  "a world",
                  "start the program with muster run")
        .release();
  }
  Result<LocalConnection*> connection = connection_of(*place);
  if (!connection.ok()) return connection.take_status().release();
  auto joined = (*connection)->open(deadline_ns);
  if (!joined.ok()) return joined.take_status().release();
  if (joined->size != place->size) {
    (void)(*connection)->leave(joined->generation, deadline_ns).ok();
    return Status(MUSTER_MISMATCH,
                  fmt::format("MUSTER_LOCAL_SIZE is {}, muster run has {} ranks", place->size,
                              joined->size),
                  "leave the variables of muster run as they are")
        .release();
  }
  *out = reinterpret_cast<muster_world*>(
      new LocalWorld{*connection, joined->generation, joined->size});
  return nullptr;
}

uint32_t rank(muster_world* world) { return of(world).connection->rank(); }
uint32_t size(muster_world* world) { return of(world).size; }

muster_status* put(muster_world* world, const char* key, const void* data, uint64_t bytes) {
  LocalWorld& local = of(world);
  std::string value(static_cast<const char*>(data), bytes);
  return local.connection->put(local.generation, key, std::move(value)).release();
}

muster_status* get(muster_world* world, uint32_t from_rank, const char* key, uint64_t deadline_ns,
                   muster_bytes_sink sink, void* context) {
  LocalWorld& local = of(world);
  auto value = local.connection->get(local.generation, from_rank, key, deadline_ns);
  if (!value.ok()) return value.take_status().release();
  sink(context, from_rank, value->data(), value->size());
  return nullptr;
}

void close(muster_world* world, uint64_t deadline_ns) {
  if (world == nullptr) return;
  LocalWorld& local = of(world);
  Status left = local.connection->leave(local.generation, deadline_ns);
  if (!left.ok()) log_debug("bootstrap local: " + left.message());
  delete &local;
}

}  // namespace

const muster_bootstrap* local_bootstrap() {
  static const muster_bootstrap table = {.struct_size = MUSTER_BOOTSTRAP_SIZE,
                                         .priority = 100,
                                         .name = "local",
                                         .available = available,
                                         .open = open,
                                         .rank = rank,
                                         .size = size,
                                         .put = put,
                                         .get = get,
                                         .all_gather = nullptr,
                                         .close = close};
  return &table;
}

}  // namespace muster

#include "core/bootstrap/line_prefixer.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

namespace muster {
namespace {

// As much as a pipe can hold. Whoever writes without end must not keep the launcher from the other
// ranks, and a process that outlives its rank not from its own end.
constexpr int kChunksAtOnce = 64;

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t now = write(fd, text.data(), text.size());
    if (now >= 0) {
      text.remove_prefix(static_cast<size_t>(now));
    } else if (errno == EAGAIN) {
      pollfd writable{.fd = fd, .events = POLLOUT, .revents = 0};
      poll(&writable, 1, -1);
    } else if (errno != EINTR) {
      return;  // nobody reads the launcher's output any more
    }
  }
}

}  // namespace

LinePrefixer::LinePrefixer(UniqueFd from, int to, std::string prefix)
    : from_(std::move(from)), to_(to), prefix_(std::move(prefix)) {
  fcntl(from_.get(), F_SETFL, O_NONBLOCK);
}

bool LinePrefixer::copy() {
  std::array<char, 16 * 1024> chunk;
  for (int chunks = 0; chunks < kChunksAtOnce; ++chunks) {
    ssize_t got = read(from_.get(), chunk.data(), chunk.size());
    if (got > 0) {
      pending_.append(chunk.data(), static_cast<size_t>(got));
      write_lines(false);
    } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
      return false;
    } else if (errno == EAGAIN) {
      return true;
    }
  }
  return true;
}

void LinePrefixer::finish() {
  copy();
  write_lines(true);
}

void LinePrefixer::write_lines(bool all) {
  std::string out;
  size_t begin = 0;
  for (size_t end; (end = pending_.find('\n', begin)) != std::string::npos; begin = end + 1) {
    out.append(prefix_).append(pending_, begin, end + 1 - begin);
  }
  pending_.erase(0, begin);
  if (all && !pending_.empty()) {
    out.append(prefix_).append(pending_).push_back('\n');
    pending_.clear();
  }
  write_all(to_, out);
}

}  // namespace muster

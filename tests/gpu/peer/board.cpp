#include "tests/gpu/peer/board.hpp"

#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>

namespace muster::peer_test {

Board::Board(uint32_t ranks)
    : shared_(static_cast<Shared*>(mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                                        MAP_SHARED | MAP_ANONYMOUS, -1, 0))),
      ranks_(ranks) {
  for (uint32_t i = 0; i < ranks; ++i) {
    for (uint32_t j = 0; j < i; ++j) {
      int pair[2] = {-1, -1};
      if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) != 0) std::perror("socketpair");
      timeval limit{60, 0};
      for (const int end : pair) setsockopt(end, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
      sockets_[i][j] = pair[0];
      sockets_[j][i] = pair[1];
    }
  }
}

Board::~Board() {
  for (uint32_t i = 0; i < ranks_; ++i) {
    for (uint32_t j = 0; j < ranks_; ++j) {
      if (i != j) close(sockets_[i][j]);
    }
  }
  munmap(shared_, sizeof(Shared));
}

void Board::barrier() {
  const uint64_t mine = shared_->arrived.fetch_add(1);
  const uint64_t all = (mine / ranks_ + 1) * ranks_;
  const auto start = std::chrono::steady_clock::now();
  for (uint64_t looks = 0; shared_->arrived.load() < all; ++looks) {
    if (looks > 10000) sched_yield();
    if (looks % 4096 == 0 && std::chrono::steady_clock::now() - start > std::chrono::seconds(60)) {
      std::fprintf(stderr, "FATAL the other ranks did not come to a barrier within 60 s\n");
      _exit(4);
    }
  }
}

void Board::exchange(uint32_t rank, const void* data, uint64_t bytes, void* out) {
  if (bytes > sizeof(shared_->data[0])) _exit(5);
  std::memcpy(shared_->data[rank], data, bytes);
  barrier();
  for (uint32_t r = 0; r < ranks_; ++r) {
    std::memcpy(static_cast<char*>(out) + r * bytes, shared_->data[r], bytes);
  }
  barrier();
}

void Board::send_fd(uint32_t from, uint32_t to, int fd) {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof(space);
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  if (sendmsg(sockets_[from][to], &message, 0) < 0) std::perror("sendmsg");
}

int Board::receive_fd(uint32_t from, uint32_t to) {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof(space);
  int fd = -1;
  if (recvmsg(sockets_[to][from], &message, MSG_CMSG_CLOEXEC) < 0) {
    std::perror("recvmsg");
    return -1;
  }
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header != nullptr) std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  return fd;
}

void Board::fail(const std::string& cause) {
  const uint64_t number = shared_->failed.fetch_add(1);
  if (number >= kCauses) return;
  std::snprintf(shared_->causes[number], sizeof(shared_->causes[number]), "%s", cause.c_str());
}

void Board::print_causes() const {
  const uint64_t shown = failed() < kCauses ? failed() : kCauses;
  for (uint64_t i = 0; i < shown; ++i) std::printf("    %s\n", shared_->causes[i]);
  if (failed() > shown) {
    std::printf("    and %llu more\n", static_cast<unsigned long long>(failed() - shown));
  }
}

}  // namespace muster::peer_test

// Memory that the ranks of a world share, processes or threads: a barrier, an exchange, and what
// they report. Made before the ranks are.
#ifndef MUSTER_TESTS_GPU_PEER_BOARD_HPP
#define MUSTER_TESTS_GPU_PEER_BOARD_HPP

#include <atomic>
#include <cstdint>
#include <string>

namespace muster::peer_test {

constexpr uint32_t kRanks = 8;
constexpr uint32_t kCauses = 8;

class Board {
 public:
  explicit Board(uint32_t ranks);
  ~Board();
  Board(const Board&) = delete;
  Board& operator=(const Board&) = delete;

  // Ends the process when the others do not come within a minute.
  void barrier();
  void exchange(uint32_t rank, const void* data, uint64_t bytes, void* out);
  // Descriptors between processes.
  void send_fd(uint32_t from, uint32_t to, int fd);
  int receive_fd(uint32_t from, uint32_t to);

  void pass() { shared_->passed.fetch_add(1); }
  void fail(const std::string& cause);
  uint64_t passed() const { return shared_->passed.load(); }
  uint64_t failed() const { return shared_->failed.load(); }
  void print_causes() const;

 private:
  struct Shared {
    std::atomic<uint64_t> arrived;
    std::atomic<uint64_t> passed;
    std::atomic<uint64_t> failed;
    char causes[kCauses][400];
    unsigned char data[kRanks][4096];
  };
  Shared* shared_;
  uint32_t ranks_;
  int sockets_[kRanks][kRanks];
};

}  // namespace muster::peer_test

#endif

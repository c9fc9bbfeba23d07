// An honest backend for ranks that are threads of one process: it moves and reduces real data, and
// offers whatever a test lets it.
//
// Every call is carried out by all ranks together: they lay their records on a board, meet, work
// out what each has to receive, meet, write, meet. Messages too: all ranks of a group call one of
// send, recv and send_recv at the same time.
#ifndef MUSTER_TESTS_UNIT_COMPOSE_THREAD_BACKEND_HPP
#define MUSTER_TESTS_UNIT_COMPOSE_THREAD_BACKEND_HPP

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "muster/testing/mock_backend.hpp"

namespace muster::testing {

// Bytes to be written at an offset of a rank's recv.
struct Piece {
  uint64_t offset;
  std::vector<char> bytes;
};

// What a rank receives, by the definitions of types.h, from the records of all ranks: the reference
// that compositions are compared with. Of the fused operation the runtime's own kernels are the
// definition; its other outputs are written at once.
std::vector<Piece> result_of(const std::vector<const muster_call*>& calls, uint32_t rank);
void write_pieces(void* recv, const std::vector<Piece>& pieces);

class ThreadBackend {
 public:
  // Offers these rules only.
  explicit ThreadBackend(const std::string& id, std::vector<muster_rule> rules,
                         int32_t priority = 50);
  ThreadBackend(const ThreadBackend&) = delete;
  ThreadBackend& operator=(const ThreadBackend&) = delete;

  MockBackend& mock() { return mock_; }
  // What the mock does with a call, for tests that add to it.
  void execute(MockGroup& group, const muster_call& call);
  // The operations that reached the backend on rank 0, in order.
  std::vector<muster_op> seen() const;
  void forget();

 private:
  struct Board {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<const muster_call*> calls;
    uint32_t arrived = 0;
    uint64_t round = 0;
    void meet();
  };
  Board& board_of(MockGroup& group);

  MockBackend mock_;
  mutable std::mutex mutex_;
  std::map<uint64_t, Board> boards_;  // by the group's tag
  std::vector<muster_op> seen_;
};

}  // namespace muster::testing

#endif

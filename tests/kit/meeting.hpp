// Where the ranks of one group of a mock, threads of one process, lay their calls down: whoever
// comes last to a collective works out what everybody receives and writes it.
//
// Collectives are met in the order in which each rank lays them down; the messages between two
// ranks likewise, whichever side comes first. Laying down never waits, so started and batched calls
// move on without an order among them. A rank that leaves, or gives a call up, ends all collectives
// and the messages with itself: whoever still waits is told. Any thread; results are written while
// a lock is held, so no buffer of a rank is touched any more once its end returns.
#ifndef MUSTER_TESTS_KIT_MEETING_HPP
#define MUSTER_TESTS_KIT_MEETING_HPP

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "muster/backend.h"
#include "muster/plugin.hpp"

namespace muster::testing::detail {

class Meeting {
 public:
  explicit Meeting(uint32_t size) : calls_of_(size, 0) {}

  // A number that no meeting of this process has had.
  static uint64_t new_number();
  // The meeting of that number, as long as one of its ranks has it.
  static std::shared_ptr<Meeting> numbered(uint64_t number, uint32_t size);

  // How it went, under the lock, once its word has been reached.
  struct Settled {
    muster_code code = MUSTER_OK;
    std::string cause;
  };
  // One rank's part of what it has laid down. Of one thread.
  struct Turn {
    struct Wait {
      const muster_wait_word* word;
      uint64_t at_least;
      uint32_t peer;
      std::shared_ptr<const Settled> settled;
    };
    std::vector<Wait> waits;
  };

  // Throws plugin::Failure, with nothing laid down, when a rank that it needs takes part no more.
  Turn lay_down(const plugin::Group& group, const muster_call* calls, uint32_t count);
  // Waits for all of it. Throws what was settled, or why the wait ended.
  void wait_for(const plugin::Group& group, const Turn& turn);
  // Whether all of it is settled; throws likewise.
  bool is_done(const Turn& turn);
  // The rank takes part no more.
  void end(const plugin::Group& group, const std::string& why);

 private:
  struct Round : Settled {
    std::vector<muster_call> calls;
    std::vector<bool> there;
    uint32_t arrived = 0;
  };
  struct Message : Settled {
    bool sends = false;
    const void* from = nullptr;
    void* to = nullptr;
    uint64_t bytes = 0;
    uint32_t rank = 0;  // whose it is
    muster_wait_word done{};
  };
  using Pair = std::pair<uint32_t, uint32_t>;  // from, to

  void lay_collective(const plugin::Group& group, const muster_call& call, Turn& turn);
  void lay_message(const plugin::Group& group, Pair pair, std::shared_ptr<Message> message,
                   Turn& turn);
  void need_present(uint32_t rank, const muster_call& call) const;
  void check(const Settled& settled) const;
  std::string missing() const;

  mutable std::mutex mutex_;
  std::map<uint32_t, std::string> gone_;  // ranks that take part no more, with what is said then
  std::vector<uint64_t> calls_of_;        // collectives that each rank has laid down
  std::deque<std::shared_ptr<Round>> rounds_;
  muster_wait_word met_{};  // collectives that all ranks have come to; the most there is at the end
  std::map<Pair, std::deque<std::shared_ptr<Message>>> waiting_;
};

}  // namespace muster::testing::detail

#endif

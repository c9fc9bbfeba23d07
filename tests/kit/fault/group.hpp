// One rank's part of one group of the fault plugin: sums, copies and barriers that are right, until
// its behaviour says otherwise.
//
// Data goes in chunks: each rank fills its segment, waits for the others', reads them, and says so;
// a started call does a chunk whenever the others have come. Sums are made in the order of ranks.
// Thread rule and lifetime: those of muster_backend_group.
#ifndef MUSTER_TESTS_KIT_FAULT_GROUP_HPP
#define MUSTER_TESTS_KIT_FAULT_GROUP_HPP

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "muster/plugin.hpp"
#include "tests/kit/fault/behaviour.hpp"
#include "tests/kit/fault/segment.hpp"

namespace muster::fault {

class FaultGroup {
 public:
  explicit FaultGroup(plugin::Group group);
  ~FaultGroup();
  FaultGroup(const FaultGroup&) = delete;
  FaultGroup& operator=(const FaultGroup&) = delete;

  void connect();
  void execute(const muster_call& call);
  // Begun in the order given, carried out in that order.
  muster_request* start(const muster_call& call);
  bool test(muster_request* request);
  // Knows the memory, and copies all the same.
  void* memory_register(void* pointer, uint64_t bytes, muster_memory memory);
  void memory_deregister(void* registration) noexcept;
  void capture_begin(muster_phase phase);
  void capture_end(bool ok);

  // Whether execute throws what nothing catches.
  bool throws_in_execute() const { return behaviour_.throws("execute", rank_, calls_); }

 private:
  // How far a call is.
  struct Transfer {
    explicit Transfer(const muster_call& of) : call(of) {}
    const muster_call call;
    uint64_t at = 0;     // bytes that are done
    bool given = false;  // this rank's chunk is there, the others' are awaited
    bool done = false;
  };
  // Goes on to the end, waiting for others, or, if it may not wait, as far as they have come.
  bool advance(Transfer& transfer, bool may_wait);
  bool arrived(muster_wait_word Segment::*word, uint64_t at_least, bool may_wait);
  void wait(muster_wait_word& word, uint64_t at_least, uint32_t peer);
  void give_chunk(const Transfer& transfer);
  void take_chunk(const Transfer& transfer);
  template <typename T>
  void sum_chunk(const Transfer& transfer);
  void refuse(const muster_call& call) const;
  void finish(const muster_call& call);
  void go_on();
  void forget(const Transfer* asked);
  void spoil(const muster_call& call);
  bool registered(const void* pointer) const;
  void breach();
  void gather();
  void meet_at_the_end();

  plugin::Group group_;
  const uint32_t rank_;
  const uint32_t size_;
  Behaviour behaviour_;
  Segments segments_;
  std::vector<std::pair<const std::byte*, uint64_t>> registered_;
  bool connected_ = false;
  uint64_t epoch_ = 0;
  uint64_t calls_ = 0;
  std::deque<std::unique_ptr<Transfer>> begun_;  // also those that are done and not yet told of
  muster_phase phase_ = MUSTER_EAGER;
};

}  // namespace muster::fault

#endif

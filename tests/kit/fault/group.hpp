// One rank's part of one group of the fault plugin: sums, copies and barriers that are right, until
// its behaviour says otherwise.
//
// Data goes in chunks: each rank fills its segment, waits for the others', reads them, and says so.
// Sums are made in the order of ranks. Thread rule and lifetime: those of muster_backend_group.
#ifndef MUSTER_TESTS_KIT_FAULT_GROUP_HPP
#define MUSTER_TESTS_KIT_FAULT_GROUP_HPP

#include <cstddef>
#include <cstdint>
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
  // Knows the memory, and copies all the same.
  void* memory_register(void* pointer, uint64_t bytes, muster_memory memory);
  void memory_deregister(void* registration) noexcept;
  void capture_begin(muster_phase phase);
  void capture_end(bool ok);

  // Whether execute throws what nothing catches.
  bool throws_in_execute() const { return behaviour_.throws("execute", rank_, calls_); }

 private:
  template <typename Read>
  void step(const void* data, uint64_t bytes, Read&& read);
  void wait(muster_wait_word& word, uint64_t at_least, uint32_t peer);
  void move(const muster_call& call);
  void copy_chunks(const muster_call& call);
  template <typename T>
  void sum(const muster_call& call);
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
  muster_phase phase_ = MUSTER_EAGER;
};

}  // namespace muster::fault

#endif

// Where the buffers of a measured call lie: in page-aligned memory that this rank has touched, or
// on a device; in place or not, with the values of an Exercise around every checked round.
//
// One thread. Lives while the call is made; the Exercise outlives it.
#ifndef MUSTER_CORE_CLI_PLACEMENT_HPP
#define MUSTER_CORE_CLI_PLACEMENT_HPP

#include <cstdint>
#include <memory>

#include "core/agree/exercise.hpp"
#include "core/base/status.hpp"
#include "core/cli/device_run.hpp"
#include "core/cli/page_memory.hpp"
#include "muster/muster.h"

namespace muster::cli {

struct PlacementOptions {
  bool in_place = false;
  muster_group* memory_of = nullptr;  // muster_mem_alloc of this group; null: ordinary memory
  DeviceRun* device = nullptr;        // null: the host
};

// Ordinary memory of this process or device, or of muster_mem_alloc.
class BenchMemory {
 public:
  BenchMemory() = default;
  // With memory of a group: equal bytes on all ranks. [collective]
  Status take(const PlacementOptions& where, uint64_t bytes);
  ~BenchMemory();
  BenchMemory(const BenchMemory&) = delete;
  BenchMemory& operator=(const BenchMemory&) = delete;
  char* data() const { return taken_ != nullptr ? static_cast<char*>(taken_) : pages_.data(); }

 private:
  PageMemory pages_;
  muster_group* group_ = nullptr;
  DeviceRun* device_ = nullptr;
  void* taken_ = nullptr;  // of the group or the device
};

class Placement {
 public:
  // [collective] with memory of a group.
  static Result<std::unique_ptr<Placement>> make(Exercise& exercise, uint32_t rank, uint32_t size,
                                                 const PlacementOptions& options);
  Placement(const Placement&) = delete;
  Placement& operator=(const Placement&) = delete;

  // Whether the operation may write its result where its input lies.
  static bool has_in_place_form(muster_op op);

  const muster_call& call() const { return call_; }
  // New inputs, poisoned outputs; both in this memory.
  Status fill(uint64_t round);
  // What the exercise was filled with last; likewise.
  Status put();
  // Of what arrived in this memory.
  Result<Exercise::Wrong> check();

 private:
  explicit Placement(Exercise& exercise) : exercise_(exercise), call_(exercise.call()) {}
  Status lay_out(uint32_t rank, uint32_t size, const PlacementOptions& options);
  Status move(void* to, const void* from, uint64_t bytes);

  Exercise& exercise_;
  muster_call call_;
  DeviceRun* device_ = nullptr;
  uint64_t send_bytes_ = 0;
  uint64_t recv_bytes_ = 0;
  BenchMemory send_;
  BenchMemory recv_;  // in place: the only one
};

}  // namespace muster::cli

#endif

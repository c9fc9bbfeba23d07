// N ranks with the backend, each with a device, as processes or as threads of one process, and a
// runtime of the tests' making. The caller's process never touches CUDA.
#ifndef MUSTER_TESTS_GPU_PEER_WORLD_HPP
#define MUSTER_TESTS_GPU_PEER_WORLD_HPP

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "muster/backend.h"
#include "muster/plugin.hpp"
#include "tests/gpu/peer/board.hpp"
#include "tests/gpu/peer/cuda.hpp"

extern "C" const muster_entry muster_plugin_entry;

namespace muster::peer_test {

struct WorldSpec {
  std::string name;
  std::vector<int> devices;  // one per rank
  bool processes = true;
  std::map<std::string, std::string> options;
  unsigned seconds = 120;  // then its processes are ended and it has failed
  std::string cache;       // directory of images

  uint32_t size() const { return static_cast<uint32_t>(devices.size()); }
};

// One rank, connected, with a stream. Its functions report failures to the board.
class Rank {
 public:
  Rank(const WorldSpec& spec, Board& board, uint32_t rank);
  ~Rank();
  Rank(const Rank&) = delete;
  Rank& operator=(const Rank&) = delete;

  bool connect();
  // "" or the cause.
  std::string execute(const muster_call& call);
  std::string async_error();
  void abort();
  // Asks again and again: a call that blocks inside of the driver could keep ranks that are threads
  // of this process from launching what is waited for.
  void synchronize();
  cu::DevicePointer allocate(uint64_t bytes);
  void release(cu::DevicePointer pointer) { MUSTER_MUST(cu::driver().memory_free(pointer)); }
  // Virtual memory that a file descriptor can be had of, as muster_mem_alloc's is.
  cu::DevicePointer allocate_virtual(uint64_t bytes);
  void release_virtual(cu::DevicePointer pointer);
  // Makes memory known to all ranks; "" or the cause. [collective]
  std::string make_known(cu::DevicePointer pointer, uint64_t bytes, void** registration);
  void forget(void* registration);
  // Calls are of a graph phase from here on, until end_phase.
  std::string begin_phase(muster_phase phase);
  std::string end_phase(bool ok);
  // Of an operation on this rank's stream.
  muster_call call(muster_op op, muster_dtype dtype, muster_redop redop, uint64_t count,
                   cu::DevicePointer send, cu::DevicePointer recv) const;
  // Captures what `body` enqueues.
  Exec capture(const std::function<void()>& body);

  Board& board;
  const uint32_t rank;
  const uint32_t size;
  muster_phase phase = MUSTER_EAGER;
  std::vector<std::string> records;  // "verdict: reason", as the backend has given them
  cu::Stream stream = nullptr;
  std::unique_ptr<TestKernels> kernels;

 private:
  struct Host;
  std::unique_ptr<Host> host_;
  std::unique_ptr<cu::Current> current_;
  cu::DeviceHandle device_ = 0;
  muster_instance* instance_ = nullptr;
  const muster_backend* backend_ = nullptr;
  muster_backend_group* group_ = nullptr;
  std::map<cu::DevicePointer, std::pair<cu::MemoryHandle, uint64_t>> virtual_;
};

// Runs a body on every rank and prints one line; adds to what was passed and failed.
struct Totals {
  uint64_t passed = 0;
  uint64_t failed = 0;
};
void run_world(const WorldSpec& spec, const std::function<void(Rank&)>& body, Totals& totals);

// Devices that a process sees; asked in a child. -1 with the cause printed when there is no driver.
int count_devices();

}  // namespace muster::peer_test

#endif

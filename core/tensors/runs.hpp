// Movement of runs of bytes: what an operation along an inner dimension does besides
// communication. As cudaMemcpy2D, once per rank.
#ifndef MUSTER_CORE_TENSORS_RUNS_HPP
#define MUSTER_CORE_TENSORS_RUNS_HPP

#include <cstdint>

#include "core/base/status.hpp"
#include "core/query/devices.hpp"
#include "muster/types.h"

namespace muster {

// `rows` times one run of every rank.
struct Runs {
  uint64_t rows;
  uint64_t run;  // bytes
  uint32_t ranks;
};

// Moves runs within one kind of memory, in the order of one stream: those of the host itself, those
// of a device by the plugin that knows it, one copy_2d per rank.
class RunMover {
 public:
  // UNAVAILABLE when this process cannot move runs there. Asked before anybody is called.
  static Result<RunMover> make(const Devices& devices, muster_memory memory,
                               const muster_stream& stream);

  // From blocks of ranks ([rank][row]) to rows of the whole tensor ([row][rank]), and back. The two
  // sides do not overlap.
  Status join(void* tensor, const void* blocks, const Runs& runs) const;
  Status split(void* blocks, const void* tensor, const Runs& runs) const;

 private:
  struct Side {
    uint64_t row;   // bytes from one row to the next
    uint64_t rank;  // and from one rank's run to the next one's
  };
  Status move(void* to, const Side& to_by, const void* from, const Side& from_by,
              const Runs& runs) const;

  const Device* device_ = nullptr;  // NULL: the host
  muster_stream stream_{};
};

}  // namespace muster

#endif

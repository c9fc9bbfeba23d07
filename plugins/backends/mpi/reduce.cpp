#include "plugins/backends/mpi/reduce.hpp"

#include <algorithm>
#include <cstring>

#include "plugins/backends/mpi/half.hpp"
#include "plugins/backends/mpi/layout.hpp"
#include "plugins/backends/mpi/types.hpp"

namespace muster::mpi {
namespace {

// Elements per piece where a piece needs scratch memory: it stays in the cache between its steps.
constexpr uint64_t kScratchPiece = UINT64_C(1) << 18;
// Elsewhere: MPI takes as much memory inside as it is given at once.
constexpr uint64_t kPiece = UINT64_C(1) << 24;

// One reduction's types and steps, the same for all its pieces.
class Reduction {
 public:
  Reduction(Communicator& comm, const muster_call& call)
      : comm_(comm),
        call_(call),
        bytes_(MUSTER_DTYPE_BYTES(call.dtype)),
        carrier_(carrier(call.dtype)),
        carrier_bytes_(MUSTER_DTYPE_BYTES(carrier_)),
        type_(datatype(carrier_)),
        op_(operation(carrier_, call.redop)),
        half_(is_half(call.dtype)),
        average_(call.redop == MUSTER_AVG) {
    if (op_ == MPI_OP_NULL) {
      plugin::fail(MUSTER_UNIMPLEMENTED, "mpi does not offer reduce operation " +
                                             std::to_string(call.redop) + " of dtype " +
                                             std::to_string(call.dtype));
    }
  }

  void all_reduce() {
    const uint64_t most = half_ ? scratch_piece() : piece();
    for (uint64_t from = 0; from < call_.count; from += most) {
      const uint64_t n = std::min(most, call_.count - from);
      const void* in = at(call_.send, from);
      void* out = at(call_.recv, from);
      void* work = half_ ? comm_.scratch(0, n * carrier_bytes_) : out;
      if (prepared()) in = prepare(in, work, n);
      run("all_reduce", [&](MPI_Request* request) {
        return library.Iallreduce(in == work ? MPI_IN_PLACE : in, work, static_cast<int>(n), type_,
                                  op_, comm_.get(), request);
      });
      finish(work, out, n);
    }
  }

  // The elements [0, count) of `in` of all ranks, into `out` on root.
  void to_root(const void* in, void* out, uint64_t count, uint32_t root, const char* what) {
    const bool mine = comm_.rank() == root;
    const uint64_t most = prepared() ? scratch_piece() : piece();
    for (uint64_t from = 0; from < count; from += most) {
      const uint64_t n = std::min(most, count - from);
      const void* part = at(in, from);
      void* result = mine ? at(out, from) : nullptr;
      void* work = prepared() ? comm_.scratch(0, n * carrier_bytes_) : result;
      if (prepared()) part = prepare(part, work, n);
      run(what, [&](MPI_Request* request) {
        return library.Ireduce(mine && part == work ? MPI_IN_PLACE : part, mine ? work : nullptr,
                               static_cast<int>(n), type_, op_, static_cast<int>(root), comm_.get(),
                               request);
      });
      if (mine) finish(work, result, n);
    }
  }

  void reduce_scatter(const Layout& blocks) {
    if (!blocks.packed() || blocks.end() > (prepared() ? scratch_piece() : comm_.limit())) {
      for (uint32_t root = 0; root < comm_.size(); ++root) {
        to_root(at(call_.send, blocks.from(root)), call_.recv, blocks.count(root), root,
                "reduce_scatter");
      }
      return;
    }
    if (blocks.end() == 0) return;
    const uint64_t mine = blocks.count(comm_.rank());
    const void* in = call_.send;
    if (prepared()) in = prepare(in, comm_.scratch(0, blocks.end() * carrier_bytes_), blocks.end());
    // In place, the result lies inside the input, which MPI does not allow.
    const bool in_place = call_.recv == at(call_.send, blocks.from(comm_.rank()));
    void* work = half_ || in_place ? comm_.scratch(1, mine * carrier_bytes_ + 1) : call_.recv;
    if (blocks.uniform()) {
      run("reduce_scatter", [&](MPI_Request* request) {
        return library.Ireduce_scatter_block(in, work, static_cast<int>(mine), type_, op_,
                                             comm_.get(), request);
      });
    } else {
      std::vector<int>& counts = comm_.integers(0);
      blocks.write_counts(counts, 1);
      run("reduce_scatterv", [&](MPI_Request* request) {
        return library.Ireduce_scatter(in, work, counts.data(), type_, op_, comm_.get(), request);
      });
    }
    finish(work, call_.recv, mine);
  }

 private:
  bool prepared() const { return half_ || call_.scalar != nullptr; }
  uint64_t piece() const { return std::min(comm_.limit(), kPiece); }
  uint64_t scratch_piece() const { return std::min(comm_.limit(), kScratchPiece); }
  const void* at(const void* data, uint64_t from) const {
    return static_cast<const unsigned char*>(data) + from * bytes_;
  }
  void* at(void* data, uint64_t from) const {
    return static_cast<unsigned char*>(data) + from * bytes_;
  }

  template <typename Start>
  void run(const char* what, Start&& start) {
    comm_.collective(what, start);
  }

  const void* prepare(const void* in, void* work, uint64_t n) const {
    if (half_) {
      widen(call_.dtype, in, static_cast<float*>(work), n, call_.scalar);
    } else {
      kernel(carrier_, MUSTER_SUM)(work, &in, 1, n, call_.scalar, 0);
    }
    return work;
  }

  void finish(const void* work, void* out, uint64_t n) const {
    if (n == 0) return;
    const uint64_t divisor = average_ ? comm_.size() : 1;
    if (half_) {
      narrow(call_.dtype, static_cast<const float*>(work), out, n, divisor);
    } else if (average_) {
      kernel(carrier_, MUSTER_AVG)(out, &work, 1, n, nullptr, divisor);
    } else if (work != out) {
      std::memcpy(out, work, n * bytes_);
    }
  }

  Communicator& comm_;
  const muster_call& call_;
  uint64_t bytes_;
  muster_dtype carrier_;
  uint64_t carrier_bytes_;
  MPI_Datatype type_;
  MPI_Op op_;
  bool half_;
  bool average_;
};

}  // namespace

void reduce(Communicator& comm, const muster_call& call) {
  Reduction reduction(comm, call);
  switch (call.op) {
    case MUSTER_ALL_REDUCE:
      return reduction.all_reduce();
    case MUSTER_REDUCE:
      return reduction.to_root(call.send, call.recv, call.count, call.root, "reduce");
    case MUSTER_REDUCE_SCATTER:
      return reduction.reduce_scatter(Layout(comm.size(), call.count));
    default:
      return reduction.reduce_scatter(Layout(comm.size(), call.recv_counts, call.recv_displs));
  }
}

}  // namespace muster::mpi

#include "plugins/backends/mpi/move.hpp"

#include <algorithm>
#include <cstring>

#include "plugins/backends/mpi/layout.hpp"
#include "plugins/backends/mpi/types.hpp"

namespace muster::mpi {
namespace {

class Move {
 public:
  Move(Communicator& comm, const muster_call& call)
      : comm_(comm), call_(call), unit_(MUSTER_DTYPE_BYTES(call.dtype)), rank_(comm.rank()) {}

  void broadcast() {
    const uint64_t bytes = call_.count * unit_;
    const bool mine = rank_ == call_.root;
    unsigned char* data = mine ? sent(0) : received(0);
    for (uint64_t from = 0; from < bytes; from += comm_.limit()) {
      const auto n = static_cast<int>(std::min(comm_.limit(), bytes - from));
      comm_.collective("broadcast", [&](MPI_Request* request) {
        return library.Ibcast(data + from, n, MPI_BYTE, static_cast<int>(call_.root), comm_.get(),
                              request);
      });
    }
    if (mine && call_.recv != nullptr) copy(data, call_.recv, bytes);
  }

  void all_gather(const Layout& blocks) {
    const bool in_place = call_.send == received(blocks.from(rank_));
    const void* in = in_place ? MPI_IN_PLACE : call_.send;
    if (blocks.end() * unit_ > comm_.limit()) {
      for (uint32_t peer = 0; peer < comm_.size(); ++peer) {
        send(peer, sent(0), blocks.count(rank_));
        receive(peer, received(blocks.from(peer)), blocks.count(peer));
      }
      return flush("all_gather");
    }
    const int count = bytes_of(blocks.count(rank_));
    if (blocks.uniform()) {
      comm_.collective("all_gather", [&](MPI_Request* request) {
        return library.Iallgather(in, count, MPI_BYTE, call_.recv, count, MPI_BYTE, comm_.get(),
                                  request);
      });
      return;
    }
    std::vector<int>& counts = comm_.integers(0);
    std::vector<int>& displacements = comm_.integers(1);
    blocks.write_counts(counts, unit_);
    blocks.write_displacements(displacements, unit_);
    comm_.collective("all_gatherv", [&](MPI_Request* request) {
      return library.Iallgatherv(in, count, MPI_BYTE, call_.recv, counts.data(),
                                 displacements.data(), MPI_BYTE, comm_.get(), request);
    });
  }

  void gather() {
    if (comm_.size() * call_.count * unit_ > comm_.limit()) {
      return gather_by_messages(Layout(rank_ == call_.root ? comm_.size() : 0, call_.count),
                                "gather");
    }
    const int count = bytes_of(call_.count);
    const bool in_place = rank_ == call_.root && call_.send == received(rank_ * call_.count);
    comm_.collective("gather", [&](MPI_Request* request) {
      return library.Igather(in_place ? MPI_IN_PLACE : call_.send, count, MPI_BYTE, call_.recv,
                             count, MPI_BYTE, static_cast<int>(call_.root), comm_.get(), request);
    });
  }

  // blocks: of no ranks but on root.
  void gather_by_messages(const Layout& blocks, const char* what) {
    send(call_.root, sent(0), call_.count);
    for (uint32_t peer = 0; peer < blocks.size(); ++peer) {
      receive(peer, received(blocks.from(peer)), blocks.count(peer));
    }
    flush(what);
  }

  void scatter() {
    if (comm_.size() * call_.count * unit_ > comm_.limit()) {
      return scatter_by_messages(Layout(rank_ == call_.root ? comm_.size() : 0, call_.count),
                                 "scatter");
    }
    const int count = bytes_of(call_.count);
    const bool in_place = rank_ == call_.root && call_.recv == sent(rank_ * call_.count);
    comm_.collective("scatter", [&](MPI_Request* request) {
      return library.Iscatter(call_.send, count, MPI_BYTE, in_place ? MPI_IN_PLACE : call_.recv,
                              count, MPI_BYTE, static_cast<int>(call_.root), comm_.get(), request);
    });
  }

  void scatter_by_messages(const Layout& blocks, const char* what) {
    for (uint32_t peer = 0; peer < blocks.size(); ++peer) {
      send(peer, sent(blocks.from(peer)), blocks.count(peer));
    }
    receive(call_.root, received(0), call_.count);
    flush(what);
  }

  void all_to_all() {
    const Layout blocks(comm_.size(), call_.count);
    if (blocks.end() * unit_ > comm_.limit()) return all_to_allv(blocks, blocks, "all_to_all");
    const int count = bytes_of(call_.count);
    const void* in = apart(blocks.end());
    comm_.collective("all_to_all", [&](MPI_Request* request) {
      return library.Ialltoall(in, count, MPI_BYTE, call_.recv, count, MPI_BYTE, comm_.get(),
                               request);
    });
  }

  void all_to_allv(const Layout& out, const Layout& in, const char* what) {
    unsigned char* data = apart(out.end());
    for (uint32_t peer = 0; peer < comm_.size(); ++peer) {
      send(peer, data + out.from(peer) * unit_, out.count(peer));
      receive(peer, received(in.from(peer)), in.count(peer));
    }
    flush(what);
  }

  void barrier() {
    comm_.collective("barrier",
                     [&](MPI_Request* request) { return library.Ibarrier(comm_.get(), request); });
  }

 private:
  // MPI takes send buffers of messages as const, but a Transfer serves both directions.
  unsigned char* sent(uint64_t from) const {
    return static_cast<unsigned char*>(const_cast<void*>(call_.send)) + from * unit_;
  }
  unsigned char* received(uint64_t from) const {
    return static_cast<unsigned char*>(call_.recv) + from * unit_;
  }
  int bytes_of(uint64_t count) const { return static_cast<int>(count * unit_); }

  static void copy(const void* from, void* to, uint64_t bytes) {
    if (bytes != 0 && from != to) std::memcpy(to, from, bytes);
  }

  // The send buffer, or a copy of it when the call is in place.
  unsigned char* apart(uint64_t count) const {
    if (call_.send != call_.recv || count == 0) return sent(0);
    void* scratch = comm_.scratch(0, count * unit_);
    std::memcpy(scratch, call_.send, count * unit_);
    return static_cast<unsigned char*>(scratch);
  }

  // Collects messages; what goes to this rank itself is copied.
  void send(uint32_t peer, unsigned char* data, uint64_t count) {
    if (peer == rank_) {
      own_ = data;
    } else {
      transfers_.push_back({Transfer::kSend, peer, data, count * unit_});
    }
  }
  void receive(uint32_t peer, unsigned char* data, uint64_t count) {
    if (peer == rank_) {
      own_target_ = data;
      own_bytes_ = count * unit_;
    } else {
      transfers_.push_back({Transfer::kReceive, peer, data, count * unit_});
    }
  }
  void flush(const char* what) {
    const auto messages = comm_.post(transfers_, kInside, what);
    if (own_target_ != nullptr && own_ != nullptr) copy(own_, own_target_, own_bytes_);
    messages->finish();
  }

  Communicator& comm_;
  const muster_call& call_;
  uint64_t unit_;
  uint32_t rank_;
  std::vector<Transfer> transfers_;
  unsigned char* own_ = nullptr;
  unsigned char* own_target_ = nullptr;
  uint64_t own_bytes_ = 0;
};

}  // namespace

void move(Communicator& comm, const muster_call& call) {
  Move move(comm, call);
  const uint32_t n = comm.size();
  const bool root = comm.rank() == call.root;
  switch (call.op) {
    case MUSTER_BROADCAST:
      return move.broadcast();
    case MUSTER_ALL_GATHER:
      return move.all_gather(Layout(n, call.count));
    case MUSTER_ALL_GATHERV:
      return move.all_gather(Layout(n, call.recv_counts, call.recv_displs));
    case MUSTER_GATHER:
      return move.gather();
    case MUSTER_GATHERV:
      return move.gather_by_messages(
          root ? Layout(n, call.recv_counts, call.recv_displs) : Layout(), "gatherv");
    case MUSTER_SCATTER:
      return move.scatter();
    case MUSTER_SCATTERV:
      return move.scatter_by_messages(
          root ? Layout(n, call.send_counts, call.send_displs) : Layout(), "scatterv");
    case MUSTER_ALL_TO_ALL:
      return move.all_to_all();
    case MUSTER_ALL_TO_ALLV:
      return move.all_to_allv(Layout(n, call.send_counts, call.send_displs),
                              Layout(n, call.recv_counts, call.recv_displs), "all_to_allv");
    case MUSTER_BARRIER:
      return move.barrier();
    default:
      plugin::fail(MUSTER_UNIMPLEMENTED, "mpi does not offer operation " + std::to_string(call.op));
  }
}

void add_messages(const muster_call& call, std::vector<Transfer>& transfers) {
  const uint64_t unit = MUSTER_DTYPE_BYTES(call.dtype);
  void* data = const_cast<void*>(call.send);
  if (call.op == MUSTER_SEND || call.op == MUSTER_SEND_RECV) {
    transfers.push_back({Transfer::kSend, call.peer, data, call.count * unit});
  }
  if (call.op == MUSTER_RECV) {
    transfers.push_back({Transfer::kReceive, call.peer, call.recv, call.count * unit});
  }
  if (call.op == MUSTER_SEND_RECV) {
    transfers.push_back({Transfer::kReceive, call.recv_peer, call.recv, call.recv_count * unit});
  }
}

}  // namespace muster::mpi

#include "plugins/backends/nccl/calls.hpp"

#include <string>

#include "muster/plugin.hpp"
#include "plugins/backends/nccl/blocks.hpp"
#include "plugins/backends/nccl/types.hpp"

namespace muster::nccl {
namespace {

// One call on its way to NCCL.
class Call {
 public:
  Call(const Member& member, const muster_call& call, const void* scratch, Comm comm, Stream stream)
      : nccl_(*member.nccl),
        member_(member),
        call_(call),
        send_(static_cast<const unsigned char*>(scratch != nullptr ? scratch : call.send)),
        recv_(static_cast<unsigned char*>(call.recv)),
        unit_(MUSTER_DTYPE_BYTES(call.dtype)),
        comm_(comm),
        stream_(stream) {}

  Result broadcast() {
    const bool mine = member_.rank == call_.root;
    // A root that wants no copy, and ranks that give none.
    void* const out = recv_ == nullptr ? const_cast<unsigned char*>(send_) : recv_;
    const void* const in = mine ? send_ : out;
    return said(nccl_.broadcast(in, out, bytes(call_.count), kBytes, root(), comm_, stream_),
                "ncclBroadcast");
  }

  Result all_gather(uint64_t count) {
    return said(nccl_.all_gather(send_, recv_, bytes(count), kBytes, comm_, stream_),
                "ncclAllGather");
  }

  Result all_gatherv() {
    const uint64_t* const counts = call_.recv_counts;
    if (is_uniform(member_.size, counts, call_.recv_displs)) return all_gather(counts[0]);
    OneOf one(nccl_, comm_);
    each_block(member_.size, counts, call_.recv_displs,
               [&](uint32_t rank, uint64_t count, uint64_t offset) {
                 if (count == 0) return;
                 void* const block = received(offset);
                 said(nccl_.broadcast(rank == member_.rank ? send_ : block, block, bytes(count),
                                      kBytes, static_cast<int>(rank), comm_, stream_),
                      "ncclBroadcast");
               });
    return one.end();
  }

  Result gather() {
    if ((member_.features & kFeatureGather) == 0) return collect(nullptr, nullptr);
    return said(nccl_.gather(send_, recv_, bytes(call_.count), kBytes, root(), comm_, stream_),
                "ncclGather");
  }
  Result gatherv() { return collect(call_.recv_counts, call_.recv_displs); }

  Result scatter() {
    if ((member_.features & kFeatureScatter) == 0) return distribute(nullptr, nullptr);
    return said(nccl_.scatter(send_, recv_, bytes(call_.count), kBytes, root(), comm_, stream_),
                "ncclScatter");
  }
  Result scatterv() { return distribute(call_.send_counts, call_.send_displs); }

  Result all_to_all() {
    if ((member_.features & kFeatureAllToAll) == 0) return exchange();
    return said(nccl_.all_to_all(send_, recv_, bytes(call_.count), kBytes, comm_, stream_),
                "ncclAlltoAll");
  }
  Result all_to_allv() { return exchange(); }

  Result messages() {
    OneOf one(nccl_, comm_);
    if (call_.op != MUSTER_RECV) give(call_.peer, call_.count, 0);
    if (call_.op == MUSTER_RECV) take(call_.peer, call_.count, 0);
    if (call_.op == MUSTER_SEND_RECV) take(call_.recv_peer, call_.recv_count, 0);
    return close(one);
  }

  Result reduce() {
    const Operation operation(*this);
    const Datatype type = datatype_of(call_.dtype);
    switch (call_.op) {
      case MUSTER_ALL_REDUCE:
        return said(
            nccl_.all_reduce(send_, recv_, call_.count, type, operation.get(), comm_, stream_),
            "ncclAllReduce");
      case MUSTER_REDUCE:
        return said(
            nccl_.reduce(send_, recv_, call_.count, type, operation.get(), root(), comm_, stream_),
            "ncclReduce");
      case MUSTER_REDUCE_SCATTER:
        return said(
            nccl_.reduce_scatter(send_, recv_, call_.count, type, operation.get(), comm_, stream_),
            "ncclReduceScatter");
      default:
        break;
    }
    const uint64_t* const counts = call_.recv_counts;
    if (is_uniform(member_.size, counts, nullptr)) {
      return said(
          nccl_.reduce_scatter(send_, recv_, counts[0], type, operation.get(), comm_, stream_),
          "ncclReduceScatter");
    }
    OneOf one(nccl_, comm_);
    each_block(member_.size, counts, nullptr, [&](uint32_t rank, uint64_t count, uint64_t offset) {
      if (count == 0) return;
      said(nccl_.reduce(send_ + offset * unit_, recv_, count, type, operation.get(),
                        static_cast<int>(rank), comm_, stream_),
           "ncclReduce");
    });
    return one.end();
  }

 private:
  // The call's reduce operation: NCCL's own, or one that multiplies by the scalar first.
  class Operation {
   public:
    explicit Operation(const Call& call) : call_(call) {
      const muster_call& asked = call.call_;
      op_ = redop_of(asked.dtype, asked.redop);
      if (asked.scalar == nullptr) return;
      call.nccl_.check(
          call.nccl_.premul_create(&op_, const_cast<void*>(asked.scalar), datatype_of(asked.dtype),
                                   kScalarHostImmediate, call.comm_),
          "ncclRedOpCreatePreMulSum", call.comm_);
      made_ = true;
    }
    // NCCL has read it by the time that the function which was given it returns.
    ~Operation() {
      if (made_) call_.nccl_.redop_destroy(op_, call_.comm_);
    }
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;
    RedOp get() const { return op_; }

   private:
    const Call& call_;
    RedOp op_ = kNoRedOp;
    bool made_ = false;
  };

  uint64_t bytes(uint64_t count) const { return count * unit_; }
  int root() const { return static_cast<int>(call_.root); }
  unsigned char* received(uint64_t offset) const { return recv_ + offset * unit_; }

  Result said(Result result, const char* function) const {
    if (result != kSuccess && result != kInProgress) nccl_.fail(result, function, comm_);
    return result;
  }

  // What the library lacks, by messages. counts NULL: as many to or from every rank.
  Result collect(const uint64_t* counts, const uint64_t* displs) {
    OneOf one(nccl_, comm_);
    if (member_.rank == call_.root) take_blocks(counts, displs);
    give(call_.root, call_.count, 0);
    return close(one);
  }
  Result distribute(const uint64_t* counts, const uint64_t* displs) {
    OneOf one(nccl_, comm_);
    if (member_.rank == call_.root) give_blocks(counts, displs);
    take(call_.root, call_.count, 0);
    return close(one);
  }
  Result exchange() {
    const bool by_counts = call_.op == MUSTER_ALL_TO_ALLV;
    OneOf one(nccl_, comm_);
    give_blocks(by_counts ? call_.send_counts : nullptr, call_.send_displs);
    take_blocks(by_counts ? call_.recv_counts : nullptr, call_.recv_displs);
    return close(one);
  }

  void give_blocks(const uint64_t* counts, const uint64_t* displs) {
    each(counts, displs,
         [&](uint32_t rank, uint64_t count, uint64_t offset) { give(rank, count, offset); });
  }
  void take_blocks(const uint64_t* counts, const uint64_t* displs) {
    each(counts, displs,
         [&](uint32_t rank, uint64_t count, uint64_t offset) { take(rank, count, offset); });
  }
  template <typename Body>
  void each(const uint64_t* counts, const uint64_t* displs, Body body) const {
    if (counts != nullptr) return each_block(member_.size, counts, displs, body);
    for (uint32_t rank = 0; rank < member_.size; ++rank)
      body(rank, call_.count, rank * call_.count);
  }

  // Messages of no bytes are left out on both sides. What a rank sends itself waits for close().
  void give(uint32_t to, uint64_t count, uint64_t offset) {
    if (count == 0) return;
    const Message message{const_cast<unsigned char*>(send_) + offset * unit_, bytes(count), to};
    if (to == member_.rank) {
      given_ = message;
    } else {
      send(message);
    }
  }
  void take(uint32_t from, uint64_t count, uint64_t offset) {
    if (count == 0) return;
    const Message message{received(offset), bytes(count), from};
    if (from == member_.rank) {
      taken_ = message;
    } else {
      receive(message);
    }
  }
  // A block that a rank has in its place already is not sent.
  Result close(OneOf& one) {
    if (given_.data != taken_.data) {
      if (given_.data != nullptr) send(given_);
      if (taken_.data != nullptr) receive(taken_);
    }
    return one.end();
  }

  struct Message {
    unsigned char* data = nullptr;
    uint64_t bytes = 0;
    uint32_t peer = 0;
  };
  void send(const Message& message) {
    said(nccl_.send(message.data, message.bytes, kBytes, static_cast<int>(message.peer), comm_,
                    stream_),
         "ncclSend");
  }
  void receive(const Message& message) {
    said(nccl_.receive(message.data, message.bytes, kBytes, static_cast<int>(message.peer), comm_,
                       stream_),
         "ncclRecv");
  }

  const Library& nccl_;
  const Member& member_;
  const muster_call& call_;
  const unsigned char* send_;
  unsigned char* recv_;
  uint64_t unit_;
  Comm comm_;
  Stream stream_;
  Message given_;  // to this rank itself
  Message taken_;
};

bool moves_nothing(const muster_call& call) {
  switch (call.op) {
    case MUSTER_ALL_REDUCE:
    case MUSTER_REDUCE:
    case MUSTER_REDUCE_SCATTER:
    case MUSTER_BROADCAST:
    case MUSTER_ALL_GATHER:
    case MUSTER_GATHER:
    case MUSTER_SCATTER:
    case MUSTER_ALL_TO_ALL:
      return call.count == 0;
    default:
      return false;
  }
}

}  // namespace

uint64_t scratch_bytes(const Member& member, const muster_call& call) {
  if (call.send != call.recv) return 0;
  const uint64_t unit = MUSTER_DTYPE_BYTES(call.dtype);
  if (call.op == MUSTER_ALL_TO_ALL) return member.size * call.count * unit;
  if (call.op != MUSTER_ALL_TO_ALLV) return 0;
  return extent_of(member.size, call.send_counts, call.send_displs) * unit;
}

Result enqueue(const Member& member, const muster_call& asked, const void* scratch, Comm comm,
               Stream stream) {
  if (moves_nothing(asked)) return kSuccess;
  Call call(member, asked, scratch, comm, stream);
  switch (asked.op) {
    case MUSTER_ALL_REDUCE:
    case MUSTER_REDUCE:
    case MUSTER_REDUCE_SCATTER:
    case MUSTER_REDUCE_SCATTERV:
      return call.reduce();
    case MUSTER_BROADCAST:
      return call.broadcast();
    case MUSTER_ALL_GATHER:
      return call.all_gather(asked.count);
    case MUSTER_ALL_GATHERV:
      return call.all_gatherv();
    case MUSTER_GATHER:
      return call.gather();
    case MUSTER_GATHERV:
      return call.gatherv();
    case MUSTER_SCATTER:
      return call.scatter();
    case MUSTER_SCATTERV:
      return call.scatterv();
    case MUSTER_ALL_TO_ALL:
      return call.all_to_all();
    case MUSTER_ALL_TO_ALLV:
      return call.all_to_allv();
    case MUSTER_SEND:
    case MUSTER_RECV:
    case MUSTER_SEND_RECV:
      return call.messages();
    default:
      plugin::fail(MUSTER_UNIMPLEMENTED,
                   "nccl does not offer operation " + std::to_string(asked.op));
  }
}

}  // namespace muster::nccl

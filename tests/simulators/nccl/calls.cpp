// The operations, alone or as one between ncclGroupStart and ncclGroupEnd.
#include <algorithm>
#include <utility>

#include "tests/simulators/nccl/comm.hpp"

using namespace muster::nccl;
using namespace muster::simulators;

namespace {

struct Waiting {
  std::shared_ptr<SimulatedComm> comm;
  Stream stream;
  Job job;
};

// Of this thread.
struct OpenGroup {
  int depth = 0;
  std::vector<Waiting> calls;
};
thread_local OpenGroup open_group;

int flush() {
  std::vector<Waiting> calls = std::move(open_group.calls);
  open_group.calls.clear();
  int result = kSuccess;
  const auto enqueue = [&](Waiting& call) {
    const int said = call.comm->enqueue(std::move(call.job), call.stream);
    if (result == kSuccess || said > kInProgress) result = said;
  };
  // Messages of one communicator and stream are one job, for they may wait for each other.
  std::vector<Waiting> messages;
  for (Waiting& call : calls) {
    if (call.job.kind != Kind::kMessages) {
      enqueue(call);
      continue;
    }
    const auto same = std::find_if(messages.begin(), messages.end(), [&](const Waiting& other) {
      return other.comm == call.comm && other.stream == call.stream;
    });
    if (same == messages.end()) {
      messages.push_back(std::move(call));
    } else {
      auto& more = call.job.messages;
      same->job.messages.insert(same->job.messages.end(), more.begin(), more.end());
    }
  }
  for (Waiting& call : messages) enqueue(call);
  return result;
}

int submit(Comm handle, Stream stream, Job job) {
  const auto comm = comm_of(handle);
  if (comm == nullptr) {
    last_error() = "the communicator is none";
    return kInvalidArgument;
  }
  if (job.root < 0 || job.root >= comm->size || bytes_of(job.datatype) == 0) {
    last_error() = "an argument is out of range";
    return kInvalidArgument;
  }
  for (const Message& message : job.messages) {
    if (message.peer < 0 || message.peer >= comm->size) return kInvalidArgument;
  }
  open_group.calls.push_back({comm, stream, std::move(job)});
  return open_group.depth == 0 ? flush() : kSuccess;
}

int reduces(Kind kind, const void* send, void* recv, size_t count, Datatype datatype, RedOp op,
            int root, Comm handle, Stream stream) {
  const auto comm = comm_of(handle);
  if (comm == nullptr) return kInvalidArgument;
  Job job;
  job.kind = kind;
  job.send = send;
  job.recv = recv;
  job.count = count;
  job.datatype = datatype;
  job.root = root;
  if (op >= 0 && op < 5) {
    job.reduction.op = op;
  } else if (const auto found = comm->scaled.find(op); found != comm->scaled.end()) {
    job.reduction = found->second;
  } else {
    last_error() = "the reduction operation is none";
    return kInvalidArgument;
  }
  return submit(handle, stream, std::move(job));
}

int moves(Kind kind, const void* send, void* recv, size_t count, Datatype datatype, int root,
          Comm comm, Stream stream) {
  Job job;
  job.kind = kind;
  job.send = send;
  job.recv = recv;
  job.count = count;
  job.datatype = datatype;
  job.root = root;
  return submit(comm, stream, std::move(job));
}

Message message(bool sends, int peer, const void* data, size_t count, Datatype datatype) {
  return {sends, peer, const_cast<void*>(data), count * bytes_of(datatype)};
}

int messages(std::vector<Message> list, Comm comm, Stream stream) {
  Job job;
  job.messages = std::move(list);
  return submit(comm, stream, std::move(job));
}

}  // namespace

SIMULATED ncclGroupStart() {
  SIMULATED_FAILURE("ncclGroupStart");
  ++open_group.depth;
  return kSuccess;
}

SIMULATED ncclGroupEnd() {
  if (open_group.depth == 0) return kInvalidUsage;
  if (--open_group.depth != 0) return kSuccess;
  SIMULATED_FAILURE("ncclGroupEnd");
  return flush();
}

#ifndef SIMULATED_WITHOUT_ALL_REDUCE
SIMULATED ncclAllReduce(const void* send, void* recv, size_t count, Datatype datatype, RedOp op,
                        Comm comm, Stream stream) {
  SIMULATED_FAILURE("ncclAllReduce");
  return reduces(Kind::kAllReduce, send, recv, count, datatype, op, 0, comm, stream);
}
#endif

SIMULATED ncclReduce(const void* send, void* recv, size_t count, Datatype datatype, RedOp op,
                     int root, Comm comm, Stream stream) {
  SIMULATED_FAILURE("ncclReduce");
  return reduces(Kind::kReduce, send, recv, count, datatype, op, root, comm, stream);
}

SIMULATED ncclReduceScatter(const void* send, void* recv, size_t count, Datatype datatype, RedOp op,
                            Comm comm, Stream stream) {
  SIMULATED_FAILURE("ncclReduceScatter");
  return reduces(Kind::kReduceScatter, send, recv, count, datatype, op, 0, comm, stream);
}

SIMULATED ncclBroadcast(const void* send, void* recv, size_t count, Datatype datatype, int root,
                        Comm comm, Stream stream) {
  SIMULATED_FAILURE("ncclBroadcast");
  return moves(Kind::kBroadcast, send, recv, count, datatype, root, comm, stream);
}

SIMULATED ncclAllGather(const void* send, void* recv, size_t count, Datatype datatype, Comm comm,
                        Stream stream) {
  SIMULATED_FAILURE("ncclAllGather");
  return moves(Kind::kAllGather, send, recv, count, datatype, 0, comm, stream);
}

SIMULATED ncclSend(const void* data, size_t count, Datatype datatype, int peer, Comm comm,
                   Stream stream) {
  SIMULATED_FAILURE("ncclSend");
  return messages({message(true, peer, data, count, datatype)}, comm, stream);
}

SIMULATED ncclRecv(void* data, size_t count, Datatype datatype, int peer, Comm comm,
                   Stream stream) {
  SIMULATED_FAILURE("ncclRecv");
  return messages({message(false, peer, data, count, datatype)}, comm, stream);
}

#ifndef SIMULATED_OLD
SIMULATED ncclAlltoAll(const void* send, void* recv, size_t count, Datatype datatype, Comm handle,
                       Stream stream) {
  SIMULATED_FAILURE("ncclAlltoAll");
  const auto comm = comm_of(handle);
  if (comm == nullptr) return kInvalidArgument;
  std::vector<Message> list;
  const size_t part = count * bytes_of(datatype);
  for (int peer = 0; peer < comm->size; ++peer) {
    list.push_back(
        message(true, peer, static_cast<const char*>(send) + part * peer, count, datatype));
    list.push_back(message(false, peer, static_cast<char*>(recv) + part * peer, count, datatype));
  }
  return messages(std::move(list), handle, stream);
}

SIMULATED ncclGather(const void* send, void* recv, size_t count, Datatype datatype, int root,
                     Comm handle, Stream stream) {
  SIMULATED_FAILURE("ncclGather");
  const auto comm = comm_of(handle);
  if (comm == nullptr) return kInvalidArgument;
  std::vector<Message> list{message(true, root, send, count, datatype)};
  const size_t part = count * bytes_of(datatype);
  for (int peer = 0; comm->rank == root && peer < comm->size; ++peer)
    list.push_back(message(false, peer, static_cast<char*>(recv) + part * peer, count, datatype));
  return messages(std::move(list), handle, stream);
}

SIMULATED ncclScatter(const void* send, void* recv, size_t count, Datatype datatype, int root,
                      Comm handle, Stream stream) {
  SIMULATED_FAILURE("ncclScatter");
  const auto comm = comm_of(handle);
  if (comm == nullptr) return kInvalidArgument;
  std::vector<Message> list{message(false, root, recv, count, datatype)};
  const size_t part = count * bytes_of(datatype);
  for (int peer = 0; comm->rank == root && peer < comm->size; ++peer)
    list.push_back(
        message(true, peer, static_cast<const char*>(send) + part * peer, count, datatype));
  return messages(std::move(list), handle, stream);
}

SIMULATED ncclCommWindowRegister(Comm handle, void* data, size_t bytes, Window* window, int flags) {
  SIMULATED_FAILURE("ncclCommWindowRegister");
  const auto comm = comm_of(handle);
  if (comm == nullptr || data == nullptr || bytes == 0 || flags != kWindowSymmetric)
    return kInvalidArgument;
  *window = nullptr;
  if (number("SIMULATED_NCCL_SYMMETRIC", 1) == 0) return kSuccess;
  Job job;
  job.kind = Kind::kWindow;
  job.count = bytes;
  const std::string wrong = comm->clique->run(comm->rank, job, comm->aborted);
  if (!wrong.empty()) return kInvalidUsage;
  *window = reinterpret_cast<Window>(data);
  return kSuccess;
}

SIMULATED ncclCommWindowDeregister(Comm handle, Window) {
  SIMULATED_FAILURE("ncclCommWindowDeregister");
  return comm_of(handle) == nullptr ? kInvalidArgument : kSuccess;
}
#endif

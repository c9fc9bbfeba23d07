#include "tests/gpu/peer/nccl.hpp"

#include <dlfcn.h>

#include <vector>

namespace muster::peer_test {
namespace {

struct UniqueId {
  char bytes[128];
};
constexpr int kBf16 = 9;
constexpr int kSum = 0;

}  // namespace

struct Nccl::Functions {
  int (*version)(int*);
  int (*unique_id)(UniqueId*);
  int (*init)(void**, int, UniqueId, int);
  int (*destroy)(void*);
  int (*all_reduce)(const void*, void*, size_t, int, int, void*, cu::Stream);
  int (*reduce_scatter)(const void*, void*, size_t, int, int, void*, cu::Stream);
  int (*all_gather)(const void*, void*, size_t, int, void*, cu::Stream);
  int (*broadcast)(const void*, void*, size_t, int, int, void*, cu::Stream);
};

Nccl::Nccl(Rank& rank) : rank_(rank), functions_(std::make_unique<Functions>()) {
  void* library = nullptr;
  for (const char* const name : {"libnccl.so.2", "/usr/local/cuda/lib64/libnccl.so.2",
                                 "/usr/lib/x86_64-linux-gnu/libnccl.so.2"}) {
    if (library == nullptr) library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  }
  Functions& f = *functions_;
  const auto find = [&](auto& member, const char* symbol) {
    member =
        library == nullptr
            ? nullptr
            : reinterpret_cast<std::remove_reference_t<decltype(member)>>(dlsym(library, symbol));
    if (member == nullptr) missing_ = std::string("no ") + symbol;
  };
  find(f.version, "ncclGetVersion");
  find(f.unique_id, "ncclGetUniqueId");
  find(f.init, "ncclCommInitRank");
  find(f.destroy, "ncclCommDestroy");
  find(f.all_reduce, "ncclAllReduce");
  find(f.reduce_scatter, "ncclReduceScatter");
  find(f.all_gather, "ncclAllGather");
  find(f.broadcast, "ncclBroadcast");
  if (library == nullptr) missing_ = "libnccl.so.2 was not found (LD_LIBRARY_PATH)";
  if (!missing_.empty()) return;
  f.version(&version_);
  UniqueId id{};
  if (rank.rank == 0) f.unique_id(&id);
  std::vector<UniqueId> ids(rank.size);
  rank.board.exchange(rank.rank, &id, sizeof(id), ids.data());
  const int result =
      f.init(&communicator_, static_cast<int>(rank.size), ids[0], static_cast<int>(rank.rank));
  if (result != 0) missing_ = "ncclCommInitRank failed with " + std::to_string(result);
}

Nccl::~Nccl() {
  if (communicator_ != nullptr) functions_->destroy(communicator_);
}

void Nccl::run(muster_op op, uint64_t count, cu::DevicePointer send, cu::DevicePointer recv) {
  const auto* const s = reinterpret_cast<const void*>(send);
  auto* const r = reinterpret_cast<void*>(recv);
  const Functions& f = *functions_;
  int result = 0;
  if (op == MUSTER_ALL_REDUCE) {
    result = f.all_reduce(s, r, count, kBf16, kSum, communicator_, rank_.stream);
  } else if (op == MUSTER_REDUCE_SCATTER) {
    result = f.reduce_scatter(s, r, count, kBf16, kSum, communicator_, rank_.stream);
  } else if (op == MUSTER_ALL_GATHER) {
    result = f.all_gather(s, r, count, kBf16, communicator_, rank_.stream);
  } else {
    result = f.broadcast(s, r, count, kBf16, 0, communicator_, rank_.stream);
  }
  if (result != 0) rank_.board.fail("NCCL failed with " + std::to_string(result));
}

}  // namespace muster::peer_test

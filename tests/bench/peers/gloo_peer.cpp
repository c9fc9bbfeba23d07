// gloo over TCP on this machine, as a peer of `muster bench`. Started by `muster run`; the ranks
// find each other through files in the directory that --store names.
#include <gloo/allgather.h>
#include <gloo/allreduce.h>
#include <gloo/alltoall.h>
#include <gloo/barrier.h>
#include <gloo/broadcast.h>
#include <gloo/config.h>
#include <gloo/gather.h>
#include <gloo/math.h>
#include <gloo/reduce.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/file_store.h>
#include <gloo/scatter.h>
#include <gloo/transport/tcp/device.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "core/cli/processors.hpp"
#include "tests/bench/peers/peer.hpp"

namespace muster::peers {
namespace {

using Reduce = void (*)(void*, const void*, const void*, size_t);

template <class T>
Reduce reduce_of(Redop redop) {
  switch (redop) {
    case Redop::kProd:
      return &gloo::product<T>;
    case Redop::kMin:
      return &gloo::min<T>;
    case Redop::kMax:
      return &gloo::max<T>;
    default:
      return &gloo::sum<T>;
  }
}

class Gloo : public Library {
 public:
  Gloo(uint32_t rank, uint32_t size, const std::string& directory)
      : store_(std::make_shared<gloo::rendezvous::FileStore>(directory)) {
    auto context =
        std::make_shared<gloo::rendezvous::Context>(static_cast<int>(rank), static_cast<int>(size));
    std::shared_ptr<gloo::transport::Device> device =
        gloo::transport::tcp::CreateDevice("127.0.0.1");
    context->connectFullMesh(*store_, device);
    context_ = context;
  }

  std::string name() const override {
    return "gloo " + std::to_string(GLOO_VERSION_MAJOR) + "." + std::to_string(GLOO_VERSION_MINOR) +
           "." + std::to_string(GLOO_VERSION_PATCH);
  }
  uint32_t rank() const override { return static_cast<uint32_t>(context_->rank); }
  uint32_t size() const override { return static_cast<uint32_t>(context_->size); }
  void share(void* data, size_t bytes) override {
    gloo::BroadcastOptions options(context_);
    options.setOutput(static_cast<char*>(data), bytes);
    options.setRoot(0);
    gloo::broadcast(options);
  }
  bool all(bool mine) override {
    int32_t every = mine ? 1 : 0;
    gloo::AllreduceOptions options(context_);
    options.setOutput(&every, 1);
    options.setReduceFunction(reduce_of<int32_t>(Redop::kMin));
    gloo::allreduce(options);
    return every == 1;
  }

  // Options hold buffers that are registered once and serve many calls.
  std::function<void()> prepare(const PeerCall& call) override {
    return with_type(call.dtype, [&](auto zero) { return prepare_of<decltype(zero)>(call); });
  }

 private:
  template <class T>
  std::function<void()> prepare_of(const PeerCall& call) {
    T* const send = static_cast<T*>(call.send);
    T* const recv = static_cast<T*>(call.recv);
    const size_t n = call.count;
    const size_t all = n * size();
    if (call.op == "all_reduce") {
      auto options = std::make_shared<gloo::AllreduceOptions>(context_);
      if (!call.in_place) options->setInput(send, n);
      options->setOutput(recv, n);
      options->setReduceFunction(reduce_of<T>(call.redop));
      return [options] { gloo::allreduce(*options); };
    }
    if (call.op == "broadcast") {
      auto options = std::make_shared<gloo::BroadcastOptions>(context_);
      options->setOutput(recv, n);
      options->setRoot(0);
      return [options] { gloo::broadcast(*options); };
    }
    if (call.op == "barrier") {
      auto options = std::make_shared<gloo::BarrierOptions>(context_);
      return [options] { gloo::barrier(*options); };
    }
    if (call.in_place) return {};
    if (call.op == "reduce") {
      auto options = std::make_shared<gloo::ReduceOptions>(context_);
      options->setInput(send, n);
      options->setOutput(recv, n);
      options->setRoot(0);
      options->setReduceFunction(reduce_of<T>(call.redop));
      return [options] { gloo::reduce(*options); };
    }
    if (call.op == "all_gather") {
      auto options = std::make_shared<gloo::AllgatherOptions>(context_);
      options->setInput(send, n);
      options->setOutput(recv, all);
      return [options] { gloo::allgather(*options); };
    }
    if (call.op == "all_to_all") {
      auto options = std::make_shared<gloo::AlltoallOptions>(context_);
      options->setInput(send, all);
      options->setOutput(recv, all);
      return [options] { gloo::alltoall(*options); };
    }
    if (call.op == "gather") {
      auto options = std::make_shared<gloo::GatherOptions>(context_);
      options->setInput(send, n);
      if (rank() == 0) options->setOutput(recv, all);
      options->setRoot(0);
      return [options] { gloo::gather(*options); };
    }
    if (call.op == "scatter") {
      auto options = std::make_shared<gloo::ScatterOptions>(context_);
      if (rank() == 0) {
        std::vector<T*> parts(size());
        for (uint32_t r = 0; r < size(); ++r) parts[r] = send + r * n;
        options->setInputs(parts, n);
      }
      options->setOutput(recv, n);
      options->setRoot(0);
      return [options] { gloo::scatter(*options); };
    }
    return {};
  }

  std::shared_ptr<gloo::rendezvous::FileStore> store_;
  std::shared_ptr<gloo::Context> context_;
};

}  // namespace
}  // namespace muster::peers

int main(int argc, char** argv) {
  const muster::cli::LocalPlace place = muster::cli::local_place();
  const char* store = nullptr;
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], "--store") == 0) store = argv[i + 1];
  }
  if (place.ranks == 0 || store == nullptr) {
    std::fputs(
        "gloo_peer is started by: muster run -n N -- gloo_peer OPERATION --store EMPTY-DIRECTORY\n",
        stderr);
    return 2;
  }
  try {
    muster::peers::Gloo gloo(place.rank, place.ranks, store);
    return muster::peers::run_peer(argc, argv, gloo);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gloo, rank %u: %s\n", place.rank, error.what());
    return 1;
  }
}

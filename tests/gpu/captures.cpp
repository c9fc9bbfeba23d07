#include "tests/gpu/captures.hpp"

#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

namespace muster::gpu {
namespace {

constexpr uint64_t kCount = (1 << 20) + 3;

// An all_reduce whose right result is known.
class Reduction {
 public:
  Reduction(api::Group& group, Device& device)
      : group_(group),
        device_(device),
        send_(device.allocate(kCount * sizeof(float))),
        recv_(device.allocate(kCount * sizeof(float))) {}
  ~Reduction() {
    device_.free(send_);
    device_.free(recv_);
  }
  Reduction(const Reduction&) = delete;
  Reduction& operator=(const Reduction&) = delete;

  // New operands, and a result that is wrong.
  void refill(uint32_t seed) {
    seed_ = seed;
    const std::vector<float> poison(kCount, -1);
    std::vector<float> operand(kCount);
    for (uint64_t i = 0; i < kCount; ++i) operand[i] = value(group_.rank(), i);
    device_.copy(send_, operand.data(), kCount * sizeof(float));
    device_.copy(recv_, poison.data(), kCount * sizeof(float));
  }
  void enqueue() {
    muster_call call = call_of();
    api::check(muster_execute(group_.get(), &call));
  }
  std::string backend() {
    const char* name = "";
    const muster_call call = call_of();
    api::check(muster_group_backend(group_.get(), &call, &name));
    return name;
  }
  void check(Tally& tally, const std::string& when) {
    std::vector<float> got(kCount);
    device_.copy(got.data(), recv_, kCount * sizeof(float));
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < kCount; ++i) {
      float right = 0;
      for (uint32_t r = 0; r < group_.size(); ++r) right += value(r, i);
      wrong += got[i] != right;
    }
    tally.expect(wrong == 0, when + ": " + std::to_string(wrong) + " wrong elements");
  }

 private:
  muster_call call_of() const {
    muster_call call = muster_call_init(MUSTER_ALL_REDUCE, MUSTER_F32);
    call.redop = MUSTER_SUM;
    call.send_memory = call.recv_memory = MUSTER_CUDA;
    call.send = send_;
    call.recv = recv_;
    call.count = kCount;
    call.stream = device_.stream();
    return call;
  }
  // Small whole numbers: exact in any order.
  float value(uint32_t rank, uint64_t i) const {
    return static_cast<float>((i * 7 + seed_ + 13 * rank) % 101);
  }
  api::Group& group_;
  Device& device_;
  void* send_;
  void* recv_;
  uint32_t seed_ = 0;
};

std::unique_ptr<Device::Graph> capture(api::Group& group, Device& device,
                                       const std::function<void()>& body, bool ok) {
  std::unique_ptr<Device::Graph> graph;
  group.graph_begin(MUSTER_GRAPH_CAPTURE);
  try {
    graph = std::make_unique<Device::Graph>(device, body);
  } catch (const std::exception&) {
    ok = false;
  }
  group.graph_end(ok);
  return graph;
}

// A capture that rank 1 gives up, before its call or after it.
void expect_abort(api::Group& group, Device& device, Reduction& reduction, bool after,
                  Tally& tally) {
  const std::string when = after ? "given up after the call" : "given up before the call";
  try {
    capture(
        group, device,
        [&] {
          if (group.rank() != 1 || after) reduction.enqueue();
          if (group.rank() == 1) throw std::runtime_error("the model has changed its mind");
        },
        true);
    tally.expect(false, when + ": nobody has heard of it");
  } catch (const api::Error& error) {
    const bool named = error.cause().find("rank 1") != std::string::npos;
    tally.expect(error.code() == MUSTER_ABORTED && named, when + ": " + error.cause());
  }
  reduction.refill(after ? 20 : 30);
  reduction.enqueue();
  reduction.check(tally, "eagerly, a capture was " + when);
}

}  // namespace

void expect_captures(api::Group& group, Device& device, const std::string& backend, Tally& tally) {
  Reduction reduction(group, device);
  reduction.refill(1);
  reduction.enqueue();  // connections are made by the first call of a kind
  reduction.check(tally, "eagerly");
  tally.expect(reduction.backend() == backend, "served by " + reduction.backend());
  expect_abort(group, device, reduction, true, tally);
  expect_abort(group, device, reduction, false, tally);
  const auto graph = capture(
      group, device, [&] { reduction.enqueue(); }, true);
  for (uint32_t replay = 0; replay < 3; ++replay) {
    reduction.refill(40 + replay);
    graph->launch();
    reduction.check(tally, "replay " + std::to_string(replay));
  }
  expect_abort(group, device, reduction, true, tally);
  reduction.refill(50);
  graph->launch();
  reduction.check(tally, "replay after a further capture was given up");
}

}  // namespace muster::gpu

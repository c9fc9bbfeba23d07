#include "tests/gpu/runner.hpp"

#include <stdexcept>
#include <vector>

#include "tests/ranks/values.hpp"

namespace muster::gpu {

using ranks::mix;
using ranks::Outcome;
using ranks::Said;

DeviceRunner::DeviceRunner(muster_group* group, Device& device, uint64_t bytes, bool of_group)
    : group_(group),
      device_(device),
      bytes_(bytes + 4096),
      of_group_(of_group),
      rank_(muster_group_rank(group)),
      size_(muster_group_size(group)) {
  for (void*& buffer : buffers_) {
    if (!of_group) {
      buffer = device.allocate(bytes_);
      continue;
    }
    const Said said = muster_mem_alloc(group, bytes_, MUSTER_CUDA, &buffer);
    if (!said.ok()) throw std::runtime_error("muster_mem_alloc: " + said.message);
  }
}

DeviceRunner::~DeviceRunner() {
  for (void* const buffer : buffers_) {
    if (of_group_) {
      Said(muster_mem_free(group_, buffer));
    } else {
      device_.free(buffer);
    }
  }
}

void DeviceRunner::prepare(Moved& moved, const ranks::Case& c, uint32_t buffer) {
  moved.data.prepare(c, rank_, size_);
  moved.call = moved.data.call();
  moved.call.send_memory = moved.call.recv_memory = MUSTER_CUDA;
  moved.call.stream = device_.stream();
  const auto here = moved.data.buffers();
  for (uint32_t i = 0; i < here.size(); ++i) {
    moved.there[i] = buffers_[buffer + i];
    if (here[i].second > bytes_)
      throw std::runtime_error("a case of " + std::to_string(here[i].second) + " bytes");
  }
  // The same place in the copy.
  const auto translated = [&](const void* pointer) -> void* {
    const auto* const at = static_cast<const unsigned char*>(pointer);
    for (uint32_t i = 0; i < here.size(); ++i) {
      if (at >= here[i].first && at < here[i].first + here[i].second)
        return static_cast<unsigned char*>(moved.there[i]) + (at - here[i].first);
    }
    return nullptr;
  };
  moved.call.send = translated(moved.call.send);
  moved.call.recv = translated(moved.call.recv);
  upload(moved);
}

void DeviceRunner::upload(Moved& moved) {
  const auto here = moved.data.buffers();
  for (uint32_t i = 0; i < here.size(); ++i)
    device_.copy(moved.there[i], here[i].first, here[i].second);
}

void DeviceRunner::download(Moved& moved) {
  const auto here = moved.data.buffers();
  for (uint32_t i = 0; i < here.size(); ++i)
    device_.copy(here[i].first, moved.there[i], here[i].second);
}

Outcome DeviceRunner::run(const DeviceCase& c) {
  Outcome outcome;
  side_ = {};
  prepare(main_, c.call, 0);
  const bool mine = main_.data.takes_part();
  if (c.way == Way::kHost) main_.call.stream = {};
  if (mine && c.way != Way::kGraph) {
    const char* name = "";
    const Said said = muster_group_backend(group_, &main_.call, &name);
    outcome.backend = name;
    if (!said.ok()) outcome.failure = said.message;
  }
  if (!outcome.failure.empty()) return outcome;
  const Said said = call_in(c);
  if (!said.ok()) {
    outcome.failure = said.message;
    return outcome;
  }
  device_.synchronize();
  download(main_);
  if (mine) main_.data.check(false, outcome.wrong);
  if (side_.count != 0) outcome.wrong.note(side_.count, side_.first);
  return outcome;
}

Said DeviceRunner::call_in(const DeviceCase& c) {
  if (c.way == Way::kGraph) return graph(c);
  if (c.way == Way::kBatch) return batch(c);
  if (!main_.data.takes_part()) return nullptr;
  return c.way == Way::kPlan ? plan(c) : Said(muster_execute(group_, &main_.call));
}

void DeviceRunner::check_side() {
  device_.synchronize();
  download(main_);
  if (main_.data.takes_part()) main_.data.check(false, side_);
}

void DeviceRunner::refill(uint64_t seed) {
  main_.data.refill(seed);
  upload(main_);
}

Said DeviceRunner::plan(const DeviceCase& c) {
  muster_plan* plan = nullptr;
  if (Said said = muster_plan_create(group_, &main_.call, &plan); !said.ok()) return said;
  Said result = nullptr;
  for (uint64_t replay = 0; replay < 3 && result.ok(); ++replay) {
    if (replay != 0) {
      check_side();
      refill(mix(c.call.seed, 10u, replay));
    }
    result = muster_plan_run(plan);
  }
  muster_plan_release(plan);
  return result;
}

// The call among messages around the ring.
Said DeviceRunner::batch(const DeviceCase& c) {
  ranks::Case message;
  message.op = MUSTER_SEND_RECV;
  message.dtype = c.call.dtype;
  message.root = 1;
  message.count = 400;
  message.seed = mix(c.call.seed, 11u);
  prepare(message_, message, 2);
  muster_call send = message_.call;
  muster_call receive = send;
  send.op = MUSTER_SEND;
  receive.op = MUSTER_RECV;
  receive.peer = receive.recv_peer;
  receive.count = receive.recv_count;
  std::vector<muster_call> calls = {send, receive};
  if (rank_ % 2 != 0) std::swap(calls[0], calls[1]);
  // Messages between two ranks are matched by their order.
  if (main_.data.takes_part()) calls.insert(calls.begin(), main_.call);
  Said said = muster_batch(group_, calls.data(), static_cast<uint32_t>(calls.size()));
  if (!said.ok()) return said;
  device_.synchronize();
  download(message_);
  message_.data.check(false, side_);
  return said;
}

Said DeviceRunner::graph(const DeviceCase& c) {
  const auto call = [&] {
    if (!main_.data.takes_part()) return;
    const Said said = muster_execute(group_, &main_.call);
    if (!said.ok()) throw std::runtime_error(said.message);
  };
  if (Said said = muster_graph_begin(group_, MUSTER_GRAPH_WARMUP); !said.ok()) return said;
  call();
  if (Said said = muster_graph_end(group_, 1); !said.ok()) return said;
  check_side();
  if (Said said = muster_graph_begin(group_, MUSTER_GRAPH_CAPTURE); !said.ok()) return said;
  Device::Graph graph(device_, call);
  if (Said said = muster_graph_end(group_, 1); !said.ok()) return said;
  for (uint64_t replay = 0; replay < 2; ++replay) {
    if (replay != 0) check_side();
    refill(mix(c.call.seed, 12u, replay));
    graph.launch();
  }
  device_.synchronize();
  return nullptr;
}

}  // namespace muster::gpu

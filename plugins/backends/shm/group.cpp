#include "plugins/backends/shm/group.hpp"

#include <sched.h>

#include <utility>

namespace muster::shm {
namespace {

bool is_point_to_point(muster_op op) { return op >= MUSTER_SEND && op <= MUSTER_SEND_RECV; }

// Looks, with a pause after each, before the runtime's wait: some 50 us.
constexpr uint32_t kSpins = 1024;

}  // namespace

ShmGroup::ShmGroup(plugin::Group group)
    : group_(group),
      state_(group, Settings::of(group)),
      layout_(Layout::of(group.size(), state_.settings.chunk_bytes, state_.settings.box_bytes)),
      fault_(group),
      memory_(make_memory(layout_.total)),
      mappings_(group.size()),
      segments_(group.size()) {
  mappings_[group.rank()] = Mapping::of(memory_, layout_.total);
  const SegmentView own(mappings_[group.rank()]->data(), &layout_);
  ControlBlock& control = own.control();
  control.header = {kMagic, group.info().tag, layout_.total, group.rank(), group.size()};
  // Nobody else has seen this memory yet.
  const uint64_t start = state_.settings.epoch_start;
  for (Card& card : control.cards) card.word.value = start;
  control.reduced.word.value = start;
  control.done.word.value = start;
  control.bell.word.value = start;
  for (const Channel channel : {Channel::kProgram, Channel::kCollective}) {
    for (uint32_t r = 0; r < group.size(); ++r) own.counters(channel, r) = {start};
  }
}

void ShmGroup::connect() {
  state_.kernels.resolve(group_.host(), group_.size());
  state_.norms.resolve(group_.host());
  state_.copies.resolve(group_.host(), state_.settings.stream_bytes, state_.settings.far_bytes);
  const int32_t own = memory_.get();
  std::vector<Descriptor> received;
  for (const int32_t fd : group_.exchange_fds(&own, 1)) received.emplace_back(fd);
  for (uint32_t r = 0; r < group_.size(); ++r) {
    if (r != group_.rank()) mappings_[r] = Mapping::of(received[r], layout_.total);
    segments_[r] = SegmentView(mappings_[r]->data(), &layout_);
    check_header(segments_[r], r);
  }
  memory_.reset();
  const Surroundings around = look_around();
  const uint32_t spins = around.cores_suffice ? kSpins : 0;
  state_.distance.attach(state_.settings.far_ns);
  state_.stage.attach(&segments_, layout_.slot_bytes, spins, around.nodes, &state_.copies,
                      &state_.distance);
  state_.mailbox.attach(&segments_, &state_.copies, &state_.distance, layout_.box_bytes, spins);
}

ShmGroup::Surroundings ShmGroup::look_around() const {
  struct Seat {
    cpu_set_t cores;  // that the rank may run on
    uint32_t node;    // the NUMA node that it runs on
    uint32_t known;   // 0: it has more cores than the set has room for
  } own;
  CPU_ZERO(&own.cores);
  own.known = sched_getaffinity(0, sizeof(own.cores), &own.cores) == 0 ? 1 : 0;
  unsigned core = 0;
  unsigned node = 0;
  own.node = getcpu(&core, &node) == 0 ? node : 0;
  std::vector<Seat> seats(group_.size());
  group_.all_gather(&own, sizeof(own), seats.data());

  Surroundings around;
  cpu_set_t together;
  CPU_ZERO(&together);
  bool known = true;
  for (const Seat& seat : seats) {
    CPU_OR(&together, &together, &seat.cores);
    known = known && seat.known != 0;
    around.nodes.push_back(seat.node);
  }
  around.cores_suffice = !known || static_cast<uint32_t>(CPU_COUNT(&together)) >= group_.size();
  return around;
}

void ShmGroup::check_header(const SegmentView& segment, uint32_t owner) const {
  const Header& header = segment.control().header;
  if (header.magic != kMagic || header.tag != group_.info().tag ||
      header.segment_bytes != layout_.total || header.rank != owner ||
      header.size != group_.size()) {
    plugin::fail(MUSTER_DATA_LOSS, "the segment received for rank " + std::to_string(owner) +
                                       " of group '" + group_.info().name +
                                       "' belongs to something else");
  }
}

template <typename Body>
void ShmGroup::guarded(Body&& body) {
  if (broken_) {
    plugin::fail(MUSTER_FAILED_PRECONDITION,
                 std::string("an earlier call of group '") + group_.info().name + "' failed",
                 "recover the group or make a new one");
  }
  broken_ = true;
  body();
  broken_ = false;
}

void ShmGroup::collective(const muster_call& call) {
  switch (call.op) {
    case MUSTER_ALL_REDUCE:
      return all_reduce(state_, call);
    case MUSTER_REDUCE:
      return reduce(state_, call);
    case MUSTER_REDUCE_SCATTER:
    case MUSTER_REDUCE_SCATTERV:
      return reduce_scatter(state_, call);
    case MUSTER_FUSED_ALL_REDUCE_RMSNORM:
      return fused_all_reduce_rmsnorm(state_, call);
    case MUSTER_BROADCAST:
      return broadcast(state_, call);
    case MUSTER_ALL_GATHER:
    case MUSTER_ALL_GATHERV:
      return all_gather(state_, call);
    case MUSTER_GATHER:
      return gather(state_, call);
    case MUSTER_GATHERV:
      return gatherv(state_, call);
    case MUSTER_SCATTER:
      return scatter(state_, call);
    case MUSTER_SCATTERV:
      return scatterv(state_, call);
    case MUSTER_ALL_TO_ALL:
      return all_to_all(state_, call);
    case MUSTER_ALL_TO_ALLV:
      return all_to_allv(state_, call);
    case MUSTER_BARRIER:
      return barrier(state_);
    default:
      plugin::fail(MUSTER_UNIMPLEMENTED, "shm does not offer operation " + std::to_string(call.op));
  }
}

void ShmGroup::execute(const muster_call& call) {
  guarded([&] {
    if (is_point_to_point(call.op)) {
      point_to_point(state_, &call, 1);
    } else {
      collective(call);
    }
  });
  fault_.after(call);
}

void ShmGroup::execute_batch(const muster_call* calls, uint32_t count) {
  guarded([&] {
    messages_.clear();
    for (uint32_t i = 0; i < count; ++i) {
      const muster_call& call = MUSTER_AT(muster_call, calls, i);
      if (is_point_to_point(call.op)) {
        messages_.push_back(call);
      } else {
        collective(call);
      }
    }
    if (!messages_.empty()) {
      point_to_point(state_, messages_.data(), static_cast<uint32_t>(messages_.size()));
    }
  });
  for (uint32_t i = 0; i < count; ++i) fault_.after(MUSTER_AT(muster_call, calls, i));
}

void* ShmGroup::memory_register(void* pointer, uint64_t bytes, muster_memory memory) {
  return const_cast<Region*>(state_.regions.add(pointer, bytes, memory));
}

void ShmGroup::memory_deregister(void* registration) {
  state_.regions.remove(static_cast<const Region*>(registration));
}

}  // namespace muster::shm

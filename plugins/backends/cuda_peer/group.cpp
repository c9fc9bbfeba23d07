#include "plugins/backends/cuda_peer/group.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "muster/names.h"
#include "muster/narrow_float.hpp"
#include "plugins/backends/cuda_peer/devices.hpp"
#include "plugins/backends/cuda_peer/vocabulary.hpp"

namespace muster::cuda_peer {
namespace {

constexpr uint64_t kMemoryUnit = uint64_t{2} << 20;

int device_of(const plugin::Group& group) {
  const int device = group.info().places[group.rank()].device;
  if (device < 0) {
    plugin::fail(MUSTER_FAILED_PRECONDITION, "this rank is bound to no device",
                 "bind the rank to a device when muster is initialised");
  }
  return device;
}

bool is_offered(const muster_call& call) {
  if (call.op == MUSTER_FUSED_ALL_REDUCE_RMSNORM) return contains(kReducible, call.dtype);
  if (is_reduction(call.op)) {
    return contains(kReducible, call.dtype) && contains(kRedops, call.redop);
  }
  return is_move(call.op) && contains(kMovable, call.dtype);
}

float scalar_of(const muster_call& call) {
  if (call.scalar == nullptr) return 1.0f;
  if (call.dtype == MUSTER_F32) {
    float value;
    std::memcpy(&value, call.scalar, sizeof(value));
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, call.scalar, sizeof(bits));
  return call.dtype == MUSTER_F16 ? f16_to_f32(bits) : bf16_to_f32(bits);
}

}  // namespace

PrimaryContext::PrimaryContext(int device) {
  const cu::Driver& cuda = cu::ready_driver();
  cuda.check(cuda.device_get(&device_, device), "cuDeviceGet");
  cuda.check(cuda.primary_retain(&context_, device_), "cuDevicePrimaryCtxRetain");
}

PrimaryContext::~PrimaryContext() { cu::driver().primary_release(device_); }

PeerGroup::PeerGroup(plugin::Group group) : group_(group), context_(device_of(group)) {
  if (group.size() < 2 || group.size() > kMaxRanks) {
    plugin::fail(MUSTER_UNIMPLEMENTED, "cuda_peer is for 2 to 8 ranks");
  }
  const cu::Current current(context_.get());
  architecture_ = architecture_of(context_.device());
  multiprocessors_ = static_cast<uint32_t>(attribute_of(context_.device(), cu::kMultiprocessors));
  kernels_ = std::make_unique<Kernels>(
      architecture_, group.size(), group.rank(),
      static_cast<unsigned>(attribute_of(context_.device(), cu::kMostSharedBytes)),
      Cubins(group.host()));
  control_ = std::make_unique<ControlPage>();
  const uint64_t bytes = Heap{group.size()}.bytes();
  memory_ = std::make_unique<PeerMemory>(context_.device(),
                                         (bytes + kMemoryUnit - 1) / kMemoryUnit * kMemoryUnit,
                                         group.option("memory"));
  memory_->fill(Heap{group.size()}.marks_at(), 0xff, bytes - Heap{group.size()}.marks_at());
}

PeerGroup::~PeerGroup() {
  try {
    const cu::Current current(context_.get());
    // Kernels may still use what goes now.
    cu::driver().context_synchronize();
    captures_.reset();
    regions_.reset();
    words_.reset();
    memory_.reset();
    control_.reset();
    kernels_.reset();
  } catch (const std::exception&) {
    // Without a context everything is gone with the device.
    static_cast<void>(captures_.release());
    static_cast<void>(regions_.release());
    static_cast<void>(words_.release());
    static_cast<void>(memory_.release());
    static_cast<void>(control_.release());
    static_cast<void>(kernels_.release());
  }
}

void PeerGroup::agree_on_room() {
  struct Share {
    uint32_t multiprocessors;
    uint32_t line_blocks;
    uint32_t row_blocks;
    uint32_t stage_blocks;
    uint32_t row_bytes;
    uint32_t ranks_here;
    uint32_t lines;
  } own{};
  // Processes may number devices differently.
  const cu::Uuid here = uuid_of_device(context_.device());
  std::vector<cu::Uuid> devices(group_.size());
  group_.all_gather(&here, sizeof(here), devices.data());
  own.lines = 1;
  for (const cu::Uuid& uuid : devices) {
    const Link link = link_to(context_.device(), uuid);
    if (link == Link::kSame) ++own.ranks_here;
    if (link != Link::kSame && link != Link::kNvlink) own.lines = 0;
  }
  own.multiprocessors = multiprocessors_ / own.ranks_here;
  // Where ranks share a device a block may have a multiprocessor to itself: kernels of different
  // sizes would not fit beside each other otherwise.
  const uint32_t most_beside = own.ranks_here > 1 ? 1 : 64;
  const auto blocks_of = [&](uint32_t beside) {
    return multiprocessors_ * std::min(beside, most_beside) / own.ranks_here;
  };
  own.line_blocks = blocks_of(kernels_->line_blocks());
  own.row_blocks = blocks_of(kernels_->row_blocks());
  // More than one beside each other made no message faster.
  own.stage_blocks = blocks_of(std::min(kernels_->stage_blocks(), 1u));
  own.row_bytes = kernels_->row_bytes();
  std::vector<Share> all(group_.size());
  group_.all_gather(&own, sizeof(own), all.data());
  Share least = own;
  for (const Share& share : all) {
    least.multiprocessors = std::min(least.multiprocessors, share.multiprocessors);
    least.line_blocks = std::min(least.line_blocks, share.line_blocks);
    least.row_blocks = std::min(least.row_blocks, share.row_blocks);
    least.stage_blocks = std::min(least.stage_blocks, share.stage_blocks);
    least.row_bytes = std::min(least.row_bytes, share.row_bytes);
    least.ranks_here = std::max(least.ranks_here, share.ranks_here);
    least.lines = std::min(least.lines, share.lines);
  }
  const auto asked = static_cast<uint32_t>(group_.integer_option("blocks"));
  const uint32_t most = asked == 0 ? kLineChannels : asked;
  room_.spread = std::clamp(std::min(least.multiprocessors, most), 1u, kLineChannels);
  room_.row_blocks = std::clamp(std::min(least.row_blocks, most), 1u, kLineChannels);
  room_.line_blocks = std::clamp(std::min(least.line_blocks, most), 1u, kLineChannels);
  room_.stage_blocks = std::clamp(std::min(least.stage_blocks, most), 1u, kStageChannels);
  room_.row_bytes = least.row_bytes;
  room_.line_threads = static_cast<uint32_t>(group_.integer_option("line_threads")) / 32 * 32;
  room_.lag = static_cast<uint32_t>(group_.integer_option("lag"));
  room_.step_bytes = group_.integer_option("step_bytes") / 128 * 128;
  programmatic_ = group_.option("programmatic") == "true" && least.ranks_here == 1;
  const auto cluster = static_cast<uint32_t>(group_.integer_option("cluster"));
  const uint32_t most_cluster = cluster == 0 ? 8 : cluster;
  room_.cluster =
      std::stoi(architecture_.substr(3)) >= 90 && least.ranks_here == 1 ? most_cluster : 1;
  bands_ = Bands::of(architecture_, group_.size(), group_.option("bands"),
                     group_.option("algorithm"), least.lines != 0);
}

void PeerGroup::connect() {
  cu::raising([this] { join(); });
}

void PeerGroup::join() {
  const cu::Current current(context_.get());
  memory_->connect(group_);
  words_ = std::make_unique<HeapWords>(memory_->of(group_.rank()));
  regions_ = std::make_unique<Regions>(*words_);
  captures_ = std::make_unique<Captures>(group_, context_.device(), *words_, *regions_);
  direct_ = group_.option("direct") == "true";
  register_captured_ = direct_ && group_.option("register_captured") == "true";
  agree_on_room();
  for (uint32_t r = 0; r < group_.size(); ++r) {
    args_.heap[r] = reinterpret_cast<Byte*>(memory_->of(r));
  }
  const Waiting waiting{control_->on_device(), group_.integer_option("wait_ms") * 1000000, 0};
  std::vector<Word> words(sizeof(waiting) / sizeof(Word));
  std::memcpy(words.data(), &waiting, sizeof(waiting));
  words_->write(kWaitingAt, words);
  args_.waiting = reinterpret_cast<Waiting*>(args_.heap[group_.rank()] + kWaitingAt);
  args_.rank = group_.rank();
}

Plan PeerGroup::plan_fused(const muster_call& call, uint64_t bytes, Args& args) const {
  const muster_fused_rmsnorm& fused = *call.fused;
  args.residual = static_cast<const Byte*>(fused.residual);
  args.residual_out = static_cast<Byte*>(fused.residual_out);
  args.weight = static_cast<const Byte*>(fused.weight);
  args.scales = fused.scale_out;
  args.hidden = static_cast<unsigned>(fused.hidden);
  args.quant_group = fused.quant_group;
  args.epsilon = static_cast<float>(fused.epsilon);
  return fused_plan_of(bytes, fused.hidden, muster_dtype_size(call.dtype), group_.size(),
                       fused.quant_group != 0, room_);
}

// Calls that promise memory of the group do so on all ranks, and all have the same regions. Which
// one lies behind a call is told inside of it.
Algorithm PeerGroup::algorithm_of(const muster_call& call, uint64_t bytes) const {
  const bool known = (call.flags & MUSTER_CALL_SYMMETRIC) != 0 && direct_ && regions_->any();
  return known ? bands_[call.op].of_known(bytes, is_pullable(call.op, bytes))
               : bands_[call.op].of(bytes);
}

Region* PeerGroup::memory_register(void* pointer, uint64_t bytes, muster_memory memory) {
  if (memory != MUSTER_CUDA) {
    plugin::fail(MUSTER_UNAVAILABLE, "it is not memory of a CUDA device");
  }
  return cu::raising([&] { return register_piece({cu::device_pointer(pointer), bytes}); });
}

Region* PeerGroup::register_piece(Piece piece) {
  const cu::Current current(context_.get());
  if (regions_->full()) {
    plugin::fail(MUSTER_UNAVAILABLE, "there are " + std::to_string(kRegions) + " regions already");
  }
  SharedPieces shared = share_pieces(group_, context_.device(), {piece});
  const SharedPiece& only = shared.pieces.front();
  if (!only.refused.empty()) plugin::fail(MUSTER_UNAVAILABLE, only.refused);
  kept_.forget();
  return regions_->add(piece, only, std::move(shared.mappings), true);
}

void PeerGroup::memory_deregister(void* region) {
  try {
    const cu::Current current(context_.get());
    // Kernels of this rank may still reach for the others' parts; once they have ended, the others
    // no longer reach for this one's.
    cu::driver().context_synchronize();
    kept_.forget();
    regions_->remove(static_cast<const Region*>(region));
  } catch (const std::exception&) {
    // Without a context the mappings are gone with the device.
  }
}

void PeerGroup::capture_begin(muster_phase) { captures_->begin(); }

void PeerGroup::capture_end(bool ok) {
  cu::raising([&] {
    const cu::Current current(context_.get());
    captures_->end(ok);
  });
}

bool PeerGroup::tell(const muster_call& call, const Plan& plan, Args& args) {
  const Telling telling = telling_of(plan.kernel, call, group_.rank(), group_.size());
  args.told = telling.needed ? kToldNothing : kToldNotNeeded;
  if (telling.reach == Telling::Reach::kNone) return false;
  if (!direct_) return true;
  const bool tells = telling.needed && telling.possible;
  if (tells) args.told = regions_->told(telling.buffer, telling.bytes);
  const bool captured = call.phase == MUSTER_GRAPH_CAPTURE || call.phase == MUSTER_GRAPH_PIECEWISE;
  const bool promised = (call.flags & MUSTER_CALL_SYMMETRIC) != 0;
  if (!captured || promised || !register_captured_ || telling.reach != Telling::Reach::kStore) {
    return true;
  }
  // Every rank takes a slot, whether it has something to say or not: slots are matched by number.
  const Word* const slot = captures_->slot(telling.buffer, telling.bytes);
  if (tells && args.told == kToldNothing) args.told_at = slot;
  return true;
}

void PeerGroup::execute(const muster_call& call) {
  if (control_->failed()) control_->fail();
  if (Launch* const kept = kept_.find(call)) {
    kept->aim(call);
    cu::raising([&] { kept->run(cuda_, context_.get()); });
  } else {
    execute_anew(call);
  }
}

void PeerGroup::execute_anew(const muster_call& call) {
  if (!is_offered(call)) {
    plugin::fail(MUSTER_UNIMPLEMENTED, std::string("cuda_peer does not offer ") +
                                           muster_op_name(call.op) + " of " +
                                           muster_dtype_name(call.dtype));
  }
  const uint64_t bytes = call.count * muster_dtype_size(call.dtype);
  if (bytes == 0) return;
  Args args = args_;
  const Plan plan = call.op == MUSTER_FUSED_ALL_REDUCE_RMSNORM
                        ? plan_fused(call, bytes, args)
                        : plan_of(call.op, bytes, group_.size(), algorithm_of(call, bytes), room_);
  const cu::Function function = kernels_->of(plan.kernel, call.dtype);
  if (function == nullptr) {
    plugin::fail(MUSTER_UNIMPLEMENTED,
                 std::string(kernel_symbol(plan.kernel)) + " is not ready on this rank");
  }
  args.root = call.root;
  args.redop = call.redop;
  args.scale = scalar_of(call);
  const bool tells = tell(call, plan, args);
  const bool keep = !tells && KeptLaunches::can_keep(call);
  Launch once;
  Launch& launch = keep ? kept_.place(call) : once;
  launch.args = args;
  launch.shape(plan, function, programmatic_);
  launch.aim(call);
  if (keep) kept_.kept(call);
  cu::raising([&] { launch.run(cuda_, context_.get()); });
}

void PeerGroup::async_error() const {
  if (control_->failed()) control_->fail();
}

void PeerGroup::abort() { control_->abort(); }

}  // namespace muster::cuda_peer

#include "core/tensors/dict_data.hpp"

#include <cstring>
#include <string>
#include <vector>

#include "core/base/names.hpp"
#include "core/tensors/group_call.hpp"

namespace muster {
namespace {

constexpr uint64_t kSmallBytes = 4096;
constexpr uint64_t kBlockBytes = uint64_t{256} << 10;

bool is_small(const DictEntry& entry) {
  return entry.memory == MUSTER_HOST && entry.bytes <= kSmallBytes;
}

// What travels at once.
using Parcel = std::vector<const DictEntry*>;

std::vector<Parcel> parcels_of(const muster_dict& dict) {
  std::vector<Parcel> small;
  std::vector<Parcel> others;
  uint64_t block = kBlockBytes;
  for (const DictEntry& entry : dict.entries()) {
    if (!entry.is_tensor() || entry.bytes == 0) continue;
    if (!is_small(entry)) {
      others.push_back({&entry});
      continue;
    }
    if (block + entry.bytes > kBlockBytes) {
      small.emplace_back();
      block = 0;
    }
    small.back().push_back(&entry);
    block += entry.bytes;
  }
  small.insert(small.end(), others.begin(), others.end());
  return small;
}

// A call without operands or peers.
muster_call call_for(muster_op op, const DictEntry& entry, const muster_stream& stream) {
  muster_call call = muster_call_init(op, entry.dtype);
  call.send_memory = call.recv_memory = entry.memory;
  if (entry.memory != MUSTER_HOST) call.stream = stream;
  return call;
}

enum class Side { kGives, kTakes };

// `move(entry, whole)` moves one entry; several small ones are moved as one that lies in between.
template <typename Move>
Status for_each_parcel(const muster_dict& dict, Side side, Move move) {
  std::string packed;
  for (const Parcel& parcel : parcels_of(dict)) {
    if (parcel.size() == 1) {
      MUSTER_TRY(move(*parcel.front(), is_small(*parcel.front())));
      continue;
    }
    DictEntry block;
    block.kind = MUSTER_DICT_TENSOR;
    block.dtype = MUSTER_U8;
    block.memory = MUSTER_HOST;
    for (const DictEntry* entry : parcel) block.bytes += entry->bytes;
    packed.resize(block.bytes);
    block.data = packed.data();
    char* at = packed.data();
    if (side == Side::kGives) {
      for (const DictEntry* entry : parcel) {
        std::memcpy(at, entry->data, entry->bytes);
        at += entry->bytes;
      }
    }
    MUSTER_TRY(move(block, true));
    if (side == Side::kTakes) {
      for (const DictEntry* entry : parcel) {
        std::memcpy(entry->data, at, entry->bytes);
        at += entry->bytes;
      }
    }
  }
  return Status();
}

uint64_t count_of(const DictEntry& entry) { return entry.bytes / dtype_size(entry.dtype); }

// Cuts a call on the whole entry down to this rank's slice, where there is one.
bool cut(muster_call& call, const Slice& slice) {
  if (slice.count <= 1 || call.count % slice.count != 0) return false;
  call.count /= slice.count;
  return true;
}

char* place_of(const DictEntry& entry, const Slice& slice, uint64_t count) {
  return static_cast<char*>(entry.data) + slice.index * count * dtype_size(entry.dtype);
}

}  // namespace

Status broadcast_tensors(muster_group& group, const muster_dict& dict, uint32_t root,
                         const muster_stream& stream) {
  settle(group);
  const Side side = group.rank == root ? Side::kGives : Side::kTakes;
  return for_each_parcel(dict, side, [&](const DictEntry& entry, bool) {
    muster_call call = call_for(MUSTER_BROADCAST, entry, stream);
    call.send = call.recv = entry.data;
    call.count = count_of(entry);
    call.root = root;
    return call_group(group, call);
  });
}

Status send_tensors(muster_group& group, const muster_dict& dict, uint32_t peer, const Slice& slice,
                    const muster_stream& stream) {
  settle(group);
  return for_each_parcel(dict, Side::kGives, [&](const DictEntry& entry, bool whole) {
    muster_call call = call_for(MUSTER_SEND, entry, stream);
    call.peer = peer;
    call.send = entry.data;
    call.count = count_of(entry);
    if (!whole && cut(call, slice)) call.send = place_of(entry, slice, call.count);
    return call_group(group, call);
  });
}

Status recv_tensors(muster_group& group, const muster_dict& dict, uint32_t peer, const Slice& slice,
                    muster_group* all_gather_group, const muster_stream& stream) {
  settle(group);
  return for_each_parcel(dict, Side::kTakes, [&](const DictEntry& entry, bool whole) -> Status {
    muster_call call = call_for(MUSTER_RECV, entry, stream);
    call.peer = peer;
    call.recv = entry.data;
    call.count = count_of(entry);
    if (whole || !cut(call, slice)) return call_group(group, call);
    call.recv = place_of(entry, slice, call.count);
    MUSTER_TRY(call_group(group, call));
    muster_call gather = call_for(MUSTER_ALL_GATHER, entry, stream);
    gather.send = call.recv;  // in place
    gather.recv = entry.data;
    gather.count = call.count;
    return call_group(*all_gather_group, gather);
  });
}

}  // namespace muster

#include "core/tensors/dict_exchange.hpp"

#include <fmt/format.h>

#include "core/base/names.hpp"
#include "core/tensors/bytes.hpp"
#include "core/tensors/dict_data.hpp"
#include "core/tensors/dict_description.hpp"
#include "core/tensors/dict_match.hpp"
#include "core/tensors/group_call.hpp"
#include "core/tensors/vote.hpp"

namespace muster {
namespace {

// Whether the group has a chain for every tensor's memory.
Status check_carried(const muster_group& group, const muster_dict& dict) {
  for (const DictEntry& entry : dict.entries()) {
    if (!entry.is_tensor() || group.chain.table.memory_slot[entry.memory] != Table::kNoSlot)
      continue;
    return Status(MUSTER_UNAVAILABLE,
                  fmt::format("no backend of group {} serves {} memory, that of '{}'", group.name,
                              memory_name(entry.memory), entry.name),
                  "install a backend that does, or bring the tensor to host memory");
  }
  return Status();
}

// Describes, or says why not; both go out alike.
struct Described {
  Status fault;
  std::string text;
  OutgoingBytes out() const {
    if (!fault.ok()) return {nullptr, 0, &fault};
    return {text.data(), text.size(), nullptr};
  }
};
Described describe(const muster_group& group, const muster_dict& dict, const Slice& slice) {
  Described described;
  described.fault = Status(at_boundary([&]() -> Status {
    MUSTER_TRY(check_carried(group, dict));
    described.text = describe_dict(dict, slice);
    return Status();
  }));
  return described;
}

// The two ends of a sliced exchange must cut alike.
Status compare_slices(const Slice& theirs, const Slice& own) {
  if (theirs.count != own.count) {
    return Status(MUSTER_MISMATCH,
                  fmt::format("the sender's all_gather_group has {} ranks, the receiver's {}",
                              theirs.count, own.count),
                  "give groups of one size on both sides, or none");
  }
  if (theirs.index == own.index) return Status();
  return Status(MUSTER_MISMATCH,
                fmt::format("the sender is rank {} of its all_gather_group, the receiver rank {}",
                            theirs.index, own.index),
                "send from every rank to the one of the same rank on the other side");
}

Slice slice_of(const muster_dict_options& options) {
  if (options.all_gather_group == nullptr) return {};
  return {options.all_gather_group->size, options.all_gather_group->rank};
}

// At a receiver: what came, with memory for it.
Status accept(const IncomingBytes& in, const muster_dict& own, const muster_dict_options& options,
              const std::string& sender, DictDescription* out) {
  return Status(at_boundary([&]() -> Status {
    Result<DictDescription> parsed = parse_description(in.bytes);
    if (!parsed.ok()) return parsed.take_status();
    *out = std::move(*parsed);
    MUSTER_TRY(compare_slices(out->slice, slice_of(options)));
    return place_entries(out->dict, own, options, sender);
  }));
}

std::string where(const char* function, const muster_group& group) {
  return fmt::format("{} on group {}", function, group.name);
}

}  // namespace

Status broadcast_dict(muster_group& group, muster_dict& dict, uint32_t root,
                      const muster_dict_options& options) {
  const std::string here = where("broadcast_dict", group);
  if (group.rank == root) {
    const Described described = describe(group, dict, {});
    MUSTER_TRY(broadcast_bytes(group, described.out(), root, nullptr));
    if (!described.fault.ok()) return described.fault.within(here);
    MUSTER_TRY(vote(group, Status()).within(here));
    return broadcast_tensors(group, dict, root, options.stream);
  }
  IncomingBytes in;
  Status own = broadcast_bytes(group, {}, root, &in);
  if (is_broken(group)) return own;
  if (!in.failure.ok()) return in.failure.within(here);
  DictDescription description;
  if (own.ok()) own = accept(in, dict, options, fmt::format("rank {}", root), &description);
  MUSTER_TRY(vote(group, own).within(here));
  MUSTER_TRY(broadcast_tensors(group, description.dict, root, options.stream));
  adopt(description.dict, dict);
  return Status();
}

Status send_dict(muster_group& group, const muster_dict& dict, uint32_t peer,
                 const muster_dict_options& options) {
  const std::string here = where("send_dict", group);
  const Slice slice = slice_of(options);
  const Described described = describe(group, dict, slice);
  MUSTER_TRY(send_bytes(group, described.out(), peer));
  if (!described.fault.ok()) return described.fault.within(here);
  IncomingBytes answer;
  MUSTER_TRY(recv_bytes(group, peer, &answer));
  if (!answer.failure.ok()) return answer.failure.within(here);
  return send_tensors(group, dict, peer, slice, options.stream);
}

Status recv_dict(muster_group& group, muster_dict& dict, uint32_t peer,
                 const muster_dict_options& options) {
  const std::string here = where("recv_dict", group);
  const Slice slice = slice_of(options);
  IncomingBytes in;
  DictDescription description;
  Status own = recv_bytes(group, peer, &in);
  const bool answers = in.failure.ok() && !is_broken(group);
  if (!in.failure.ok()) own = in.failure.copy();
  if (own.ok()) {
    own = accept(in, dict, options, fmt::format("rank {} of group {}", peer, group.name),
                 &description);
  }
  if (slice.count > 1) {
    // All receivers go on, or none: they will gather together.
    own = vote(*options.all_gather_group, own, layout_digest(description.dict),
               "the dictionaries that came from the senders")
              .within(fmt::format("group {}", options.all_gather_group->name));
  }
  if (answers) {
    OutgoingBytes answer;
    if (!own.ok()) answer.failure = &own;
    MUSTER_TRY(send_bytes(group, answer, peer));
  }
  if (!own.ok()) return own.within(here);
  MUSTER_TRY(
      recv_tensors(group, description.dict, peer, slice, options.all_gather_group, options.stream));
  adopt(description.dict, dict);
  return Status();
}

}  // namespace muster

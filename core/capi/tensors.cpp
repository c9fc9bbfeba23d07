// tensors.h: checks arguments, the rest is in core/tensors.
#include "muster/tensors.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/capi/boundary.hpp"
#include "core/capi/record.hpp"
#include "core/dispatch/dispatch.hpp"
#include "core/tensors/bytes.hpp"
#include "core/tensors/dict.hpp"
#include "core/tensors/dict_exchange.hpp"
#include "core/tensors/dimension.hpp"

using muster::at_boundary;
using muster::null_argument;
using muster::Status;

namespace {

Status run_along(const char* function, muster_group* group, const muster_call& operands,
                 const uint64_t* shape, uint32_t dims, uint32_t dim,
                 const muster_call_options* options) {
  if (group == nullptr) return null_argument(function, "group");
  if (shape == nullptr) return null_argument(function, "shape");
  if (dims > MUSTER_MAX_DIMS) {
    return Status(MUSTER_INVALID_ARGUMENT, fmt::format("{}: {} dimensions", function, dims),
                  fmt::format("give 1 to {}", MUSTER_MAX_DIMS));
  }
  muster_call call = operands;
  if (options != nullptr) {
    call.flags = options->flags;
    call.send_memory = options->send_memory;
    call.recv_memory = options->recv_memory;
    call.stream = options->stream;
    call.scalar = options->scalar;
  }
  return muster::run_along(*group, call, {shape, dims}, dim);
}

muster_call operands_of(muster_op op, const void* send, void* recv, muster_dtype dtype) {
  muster_call call = muster_call_init(op, dtype);
  call.send = send;
  call.recv = recv;
  return call;
}

Status check_peer(const char* function, const muster_group& group, uint32_t peer) {
  if (peer < group.size && peer != group.rank) return Status();
  return Status(MUSTER_INVALID_ARGUMENT,
                fmt::format("{} on group {}: peer {} is {}", function, group.name, peer,
                            peer == group.rank ? "this rank itself" : "outside the group"),
                fmt::format("give another group rank of 0 to {}", group.size - 1));
}

Status check_root(const char* function, const muster_group& group, uint32_t root) {
  if (root < group.size) return Status();
  return Status(
      MUSTER_INVALID_ARGUMENT,
      fmt::format("{} on group {}: root {} is outside the group", function, group.name, root),
      fmt::format("give a group rank of 0 to {}", group.size - 1));
}

// The bytes, or in their place the fault that the receivers are told.
muster::OutgoingBytes outgoing(const void* data, uint64_t bytes, const Status& fault) {
  return {data, bytes, fault.ok() ? nullptr : &fault};
}

Status check_bytes(const char* function, const void* data, uint64_t bytes) {
  if (bytes > static_cast<uint64_t>(INT64_MAX)) {
    return Status(MUSTER_OUT_OF_RANGE, fmt::format("{}: {} bytes", function, bytes),
                  "look for a negative number that became unsigned");
  }
  return data == nullptr && bytes != 0 ? null_argument(function, "data") : Status();
}

Status check_dict(const char* function, const muster_group* group, const muster_dict* dict,
                  const muster_dict_options* options, muster_dict_options* out) {
  if (group == nullptr) return null_argument(function, "group");
  if (dict == nullptr) return null_argument(function, "dict");
  *out = muster_dict_options{};
  if (options == nullptr) return Status();
  return muster::read_record(fmt::format("{}: options", function), "MUSTER_DICT_OPTIONS_SIZE",
                             MUSTER_STRUCT_SIZE(muster_dict_options, allocate), options, out,
                             sizeof(*out));
}

Status give_entry(const char* function, const muster::DictEntry& entry, muster_dict_entry* out) {
  if (!MUSTER_HAS_FIELD(out, muster_dict_entry, bytes)) {
    return Status(MUSTER_INVALID_ARGUMENT, std::string(function) + ": out->struct_size is not set",
                  "set it to MUSTER_DICT_ENTRY_SIZE");
  }
  muster_dict_entry view = entry.view();
  view.struct_size = out->struct_size;
  std::memcpy(out, &view, std::min<size_t>(out->struct_size, sizeof(view)));
  return Status();
}

}  // namespace

muster_status* muster_all_gather_dim(muster_group* group, const void* send, void* recv,
                                     const uint64_t* shape, uint32_t dims, uint32_t dim,
                                     muster_dtype dtype, const muster_call_options* options) {
  return at_boundary([&] {
    const muster_call call = operands_of(MUSTER_ALL_GATHER, send, recv, dtype);
    return run_along("muster_all_gather_dim", group, call, shape, dims, dim, options);
  });
}

muster_status* muster_gather_dim(muster_group* group, const void* send, void* recv,
                                 const uint64_t* shape, uint32_t dims, uint32_t dim,
                                 muster_dtype dtype, uint32_t root,
                                 const muster_call_options* options) {
  return at_boundary([&] {
    muster_call call = operands_of(MUSTER_GATHER, send, recv, dtype);
    call.root = root;
    return run_along("muster_gather_dim", group, call, shape, dims, dim, options);
  });
}

muster_status* muster_reduce_scatter_dim(muster_group* group, const void* send, void* recv,
                                         const uint64_t* shape, uint32_t dims, uint32_t dim,
                                         muster_dtype dtype, muster_redop redop,
                                         const muster_call_options* options) {
  return at_boundary([&] {
    muster_call call = operands_of(MUSTER_REDUCE_SCATTER, send, recv, dtype);
    call.redop = redop;
    return run_along("muster_reduce_scatter_dim", group, call, shape, dims, dim, options);
  });
}

muster_status* muster_broadcast_bytes(muster_group* group, const void* data, uint64_t bytes,
                                      uint32_t root, muster_bytes_sink sink, void* context) {
  constexpr const char* kFunction = "muster_broadcast_bytes";
  return at_boundary([&]() -> Status {
    if (group == nullptr) return null_argument(kFunction, "group");
    if (sink == nullptr) return null_argument(kFunction, "sink");
    MUSTER_TRY(check_root(kFunction, *group, root));
    const bool gives = group->rank == root;
    Status fault = gives ? check_bytes(kFunction, data, bytes) : Status();
    muster::IncomingBytes in;
    MUSTER_TRY(muster::broadcast_bytes(*group, outgoing(data, bytes, fault), root, &in));
    MUSTER_TRY(std::move(fault));
    MUSTER_TRY(in.failure.within(kFunction));
    sink(context, root, gives ? data : in.bytes.data(), gives ? bytes : in.bytes.size());
    return Status();
  });
}

muster_status* muster_send_bytes(muster_group* group, const void* data, uint64_t bytes,
                                 uint32_t peer) {
  constexpr const char* kFunction = "muster_send_bytes";
  return at_boundary([&]() -> Status {
    if (group == nullptr) return null_argument(kFunction, "group");
    MUSTER_TRY(check_peer(kFunction, *group, peer));
    Status fault = check_bytes(kFunction, data, bytes);
    MUSTER_TRY(muster::send_bytes(*group, outgoing(data, bytes, fault), peer));
    return fault;
  });
}

muster_status* muster_recv_bytes(muster_group* group, uint32_t peer, muster_bytes_sink sink,
                                 void* context) {
  constexpr const char* kFunction = "muster_recv_bytes";
  return at_boundary([&]() -> Status {
    if (group == nullptr) return null_argument(kFunction, "group");
    if (sink == nullptr) return null_argument(kFunction, "sink");
    MUSTER_TRY(check_peer(kFunction, *group, peer));
    muster::IncomingBytes in;
    MUSTER_TRY(muster::recv_bytes(*group, peer, &in));
    MUSTER_TRY(in.failure.within(kFunction));
    sink(context, peer, in.bytes.data(), in.bytes.size());
    return Status();
  });
}

muster_status* muster_dict_create(muster_dict** out) {
  return at_boundary([&]() -> Status {
    if (out == nullptr) return null_argument("muster_dict_create", "out");
    *out = new muster_dict;
    return Status();
  });
}

void muster_dict_release(muster_dict* dict) { delete dict; }

muster_status* muster_dict_add_tensor(muster_dict* dict, const char* name, void* data,
                                      const uint64_t* shape, uint32_t dims, muster_dtype dtype,
                                      muster_memory memory) {
  return at_boundary([&]() -> Status {
    if (dict == nullptr) return null_argument("muster_dict_add_tensor", "dict");
    if (name == nullptr) return null_argument("muster_dict_add_tensor", "name");
    auto entry = muster::make_tensor(name, shape, dims, dtype, memory);
    if (!entry.ok()) return entry.take_status();
    if (data == nullptr && entry->bytes != 0)
      return null_argument("muster_dict_add_tensor", "data");
    entry->data = data;
    return dict->add(std::move(*entry));
  });
}

muster_status* muster_dict_add_value(muster_dict* dict, const char* name, const void* data,
                                     uint64_t bytes) {
  return at_boundary([&]() -> Status {
    if (dict == nullptr) return null_argument("muster_dict_add_value", "dict");
    if (name == nullptr) return null_argument("muster_dict_add_value", "name");
    if (data == nullptr && bytes != 0) return null_argument("muster_dict_add_value", "data");
    auto entry = muster::make_value(name, data, bytes);
    if (!entry.ok()) return entry.take_status();
    return dict->add(std::move(*entry));
  });
}

uint64_t muster_dict_count(const muster_dict* dict) { return dict == nullptr ? 0 : dict->size(); }

muster_status* muster_dict_at(const muster_dict* dict, uint64_t index, muster_dict_entry* out) {
  return at_boundary([&]() -> Status {
    if (dict == nullptr) return null_argument("muster_dict_at", "dict");
    if (out == nullptr) return null_argument("muster_dict_at", "out");
    if (index >= dict->size()) {
      return Status(MUSTER_OUT_OF_RANGE,
                    fmt::format("muster_dict_at: entry {} of {}", index, dict->size()),
                    "count from 0 to muster_dict_count");
    }
    return give_entry("muster_dict_at", dict->entries()[index], out);
  });
}

muster_status* muster_dict_find(const muster_dict* dict, const char* name, muster_dict_entry* out) {
  return at_boundary([&]() -> Status {
    if (dict == nullptr) return null_argument("muster_dict_find", "dict");
    if (name == nullptr) return null_argument("muster_dict_find", "name");
    if (out == nullptr) return null_argument("muster_dict_find", "out");
    const muster::DictEntry* const entry = dict->find(name);
    if (entry != nullptr) return give_entry("muster_dict_find", *entry, out);
    const std::string_view nearest = dict->nearest(name);
    return Status(MUSTER_NOT_FOUND,
                  fmt::format("the dictionary of {} entries has no '{}'", dict->size(), name),
                  nearest.empty() ? std::string() : fmt::format("did you mean '{}'?", nearest));
  });
}

muster_status* muster_broadcast_dict(muster_group* group, muster_dict* dict, uint32_t root,
                                     const muster_dict_options* options) {
  return at_boundary([&]() -> Status {
    muster_dict_options filled;
    MUSTER_TRY(check_dict("muster_broadcast_dict", group, dict, options, &filled));
    MUSTER_TRY(check_root("muster_broadcast_dict", *group, root));
    return muster::broadcast_dict(*group, *dict, root, filled);
  });
}

muster_status* muster_send_dict(muster_group* group, const muster_dict* dict, uint32_t peer,
                                const muster_dict_options* options) {
  return at_boundary([&]() -> Status {
    muster_dict_options filled;
    MUSTER_TRY(check_dict("muster_send_dict", group, dict, options, &filled));
    MUSTER_TRY(check_peer("muster_send_dict", *group, peer));
    return muster::send_dict(*group, *dict, peer, filled);
  });
}

muster_status* muster_recv_dict(muster_group* group, muster_dict* dict, uint32_t peer,
                                const muster_dict_options* options) {
  return at_boundary([&]() -> Status {
    muster_dict_options filled;
    MUSTER_TRY(check_dict("muster_recv_dict", group, dict, options, &filled));
    MUSTER_TRY(check_peer("muster_recv_dict", *group, peer));
    return muster::recv_dict(*group, *dict, peer, filled);
  });
}

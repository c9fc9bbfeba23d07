#include "core/cli/placement.hpp"

#include <algorithm>
#include <cstring>

#include "core/base/names.hpp"

namespace muster::cli {
namespace {

enum class Input { kNone, kPart, kWhole };  // what a rank passes: its n-th part, or all parts

struct Shape {
  Input send;
  Input recv;
};

Shape shape_of(muster_op op) {
  switch (op) {
    case MUSTER_BARRIER:
      return {Input::kNone, Input::kNone};
    case MUSTER_ALL_GATHER:
    case MUSTER_ALL_GATHERV:
    case MUSTER_GATHER:
    case MUSTER_GATHERV:
      return {Input::kPart, Input::kWhole};
    case MUSTER_REDUCE_SCATTER:
    case MUSTER_REDUCE_SCATTERV:
    case MUSTER_SCATTER:
    case MUSTER_SCATTERV:
      return {Input::kWhole, Input::kPart};
    case MUSTER_ALL_TO_ALL:
    case MUSTER_ALL_TO_ALLV:
      return {Input::kWhole, Input::kWhole};
    default:
      return {Input::kPart, Input::kPart};
  }
}

}  // namespace

Status BenchMemory::take(const PlacementOptions& where, uint64_t bytes) {
  if (where.memory_of != nullptr) {
    const muster_memory kind =
        where.device != nullptr ? where.device->memory() : muster_memory{MUSTER_HOST};
    MUSTER_TRY(Status(muster_mem_alloc(where.memory_of, bytes, kind, &taken_)));
    group_ = where.memory_of;
  } else if (where.device != nullptr) {
    MUSTER_TRY(where.device->allocate(bytes, &taken_));
    device_ = where.device;
  } else {
    pages_ = PageMemory(bytes);
  }
  return Status();
}

BenchMemory::~BenchMemory() {
  if (group_ != nullptr) Status::destroy(muster_mem_free(group_, taken_));
  if (device_ != nullptr) device_->free(taken_);
}

bool Placement::has_in_place_form(muster_op op) {
  return op != MUSTER_BARRIER && op != MUSTER_SEND_RECV;
}

Result<std::unique_ptr<Placement>> Placement::make(Exercise& exercise, uint32_t rank, uint32_t size,
                                                   const PlacementOptions& options) {
  std::unique_ptr<Placement> placement(new Placement(exercise));
  MUSTER_TRY(placement->lay_out(rank, size, options));
  return placement;
}

Status Placement::lay_out(uint32_t rank, uint32_t size, const PlacementOptions& options) {
  const uint64_t part = call_.count * dtype_size(call_.dtype);
  const auto bytes = [&](Input input) {
    return input == Input::kNone ? 0 : part * (input == Input::kWhole ? size : 1);
  };
  const Shape shape = shape_of(call_.op);
  send_bytes_ = bytes(shape.send);
  recv_bytes_ = bytes(shape.recv);
  if (options.memory_of != nullptr) call_.flags |= MUSTER_CALL_SYMMETRIC;
  device_ = options.device;
  if (device_ != nullptr) {
    call_.send_memory = call_.recv_memory = device_->memory();
    call_.stream = device_->stream();
  }
  if (!options.in_place) {
    MUSTER_TRY(send_.take(options, send_bytes_));
    MUSTER_TRY(recv_.take(options, recv_bytes_));
    call_.send = send_.data();
    call_.recv = recv_.data();
    return Status();
  }
  // A rank's own part lies at its place in the whole vector, as in NCCL.
  MUSTER_TRY(recv_.take(options, std::max(send_bytes_, recv_bytes_)));
  const bool own_part = shape.send != shape.recv;
  char* const mine = recv_.data() + (own_part ? rank * part : 0);
  call_.send = shape.send == Input::kPart ? mine : recv_.data();
  call_.recv = shape.recv == Input::kPart ? mine : recv_.data();
  return Status();
}

Status Placement::move(void* to, const void* from, uint64_t bytes) {
  if (device_ != nullptr) return device_->copy(to, from, bytes);
  if (bytes != 0) std::memcpy(to, from, bytes);
  return Status();
}

Status Placement::fill(uint64_t round) {
  exercise_.fill(round);
  return put();
}

Status Placement::put() {
  MUSTER_TRY(move(call_.recv, exercise_.call().recv, recv_bytes_));
  return move(const_cast<void*>(call_.send), exercise_.call().send, send_bytes_);
}

Result<Exercise::Wrong> Placement::check() {
  MUSTER_TRY(move(exercise_.call().recv, call_.recv, recv_bytes_));
  return exercise_.check();
}

}  // namespace muster::cli

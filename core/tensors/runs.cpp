#include "core/tensors/runs.hpp"

#include <fmt/format.h>

#include <cstring>

#include "core/base/names.hpp"

namespace muster {
namespace {

// Constant sizes become single moves; a call of memcpy per element would cost more than the rest.
template <typename Side, typename Copy>
void for_each_run(char* to, const Side& to_by, const char* from, const Side& from_by,
                  const Runs& runs, Copy copy) {
  for (uint64_t row = 0; row < runs.rows; ++row) {
    for (uint32_t rank = 0; rank < runs.ranks; ++rank) {
      copy(to + row * to_by.row + rank * to_by.rank,
           from + row * from_by.row + rank * from_by.rank);
    }
  }
}

template <size_t Bytes>
void copy_constant(char* to, const char* from) {
  std::memcpy(to, from, Bytes);
}

template <typename Side>
void move_on_host(char* to, const Side& to_by, const char* from, const Side& from_by,
                  const Runs& runs) {
  const auto move = [&](auto copy) { for_each_run(to, to_by, from, from_by, runs, copy); };
  switch (runs.run) {
    case 1:
      return move([](char* t, const char* f) { copy_constant<1>(t, f); });
    case 2:
      return move([](char* t, const char* f) { copy_constant<2>(t, f); });
    case 4:
      return move([](char* t, const char* f) { copy_constant<4>(t, f); });
    case 8:
      return move([](char* t, const char* f) { copy_constant<8>(t, f); });
    case 16:
      return move([](char* t, const char* f) { copy_constant<16>(t, f); });
    default:
      return move([run = runs.run](char* t, const char* f) { std::memcpy(t, f, run); });
  }
}

}  // namespace

Result<RunMover> RunMover::make(const Devices& devices, muster_memory memory,
                                const muster_stream& stream) {
  RunMover mover;
  mover.stream_ = stream;
  if (memory != MUSTER_HOST) {
    mover.device_ = devices.find(memory);
    if (mover.device_ != nullptr) return mover;
    return Status(
        MUSTER_UNAVAILABLE,
        fmt::format("runs cannot be moved within {} memory: no plugin gives muster.device/1 for it",
                    memory_name(memory)),
        "install the plugin that knows this kind of memory, or use dimension 0");
  }
  if (stream.kind == MUSTER_STREAM_NONE) return mover;
  return Status(MUSTER_UNAVAILABLE,
                fmt::format("the runtime cannot move runs of host memory in the order of a {} "
                            "stream",
                            stream_kind_name(stream.kind)),
                "leave options.stream out, or use dimension 0");
}

Status RunMover::join(void* tensor, const void* blocks, const Runs& runs) const {
  return move(tensor, {runs.run * runs.ranks, runs.run}, blocks, {runs.run, runs.run * runs.rows},
              runs);
}

Status RunMover::split(void* blocks, const void* tensor, const Runs& runs) const {
  return move(blocks, {runs.run, runs.run * runs.rows}, tensor, {runs.run * runs.ranks, runs.run},
              runs);
}

Status RunMover::move(void* to, const Side& to_by, const void* from, const Side& from_by,
                      const Runs& runs) const {
  auto* const target = static_cast<char*>(to);
  const auto* const source = static_cast<const char*>(from);
  if (device_ == nullptr) {
    move_on_host(target, to_by, source, from_by, runs);
    return Status();
  }
  for (uint32_t rank = 0; rank < runs.ranks; ++rank) {
    MUSTER_TRY(Status(device_->table->copy_2d(device_->instance, target + rank * to_by.rank,
                                              to_by.row, source + rank * from_by.rank, from_by.row,
                                              runs.run, runs.rows, &stream_)));
  }
  return Status();
}

}  // namespace muster

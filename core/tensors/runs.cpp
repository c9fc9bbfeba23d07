#include "core/tensors/runs.hpp"

#include <fmt/format.h>

#include <cstring>

#include "core/base/names.hpp"

namespace muster {
namespace {

struct Strides {
  uint64_t row;
  uint64_t rank;
};

// Constant sizes become single moves; a call of memcpy per element would cost more than the rest.
template <typename Copy>
void for_each_run(char* to, const Strides& to_by, const char* from, const Strides& from_by,
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

void move_runs(char* to, const Strides& to_by, const char* from, const Strides& from_by,
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

Strides in_tensor(const Runs& runs) { return {runs.run * runs.ranks, runs.run}; }
Strides in_blocks(const Runs& runs) { return {runs.run, runs.run * runs.rows}; }

}  // namespace

Status check_movable(muster_memory memory, const muster_stream& stream) {
  if (memory != MUSTER_HOST) {
    return Status(
        MUSTER_UNIMPLEMENTED,
        fmt::format("the runtime cannot move runs within {} memory: it uses no muster.device/1 of "
                    "that kind yet",
                    memory_name(memory)),
        "use dimension 0, or transpose before and after the plain operation");
  }
  if (stream.kind != MUSTER_STREAM_NONE) {
    return Status(MUSTER_UNIMPLEMENTED,
                  fmt::format("the runtime cannot move runs of host memory in the order of a {} "
                              "stream",
                              stream_kind_name(stream.kind)),
                  "leave options.stream out, or use dimension 0");
  }
  return Status();
}

void join_runs(void* tensor, const void* blocks, const Runs& runs) {
  move_runs(static_cast<char*>(tensor), in_tensor(runs), static_cast<const char*>(blocks),
            in_blocks(runs), runs);
}

void split_runs(void* blocks, const void* tensor, const Runs& runs) {
  move_runs(static_cast<char*>(blocks), in_blocks(runs), static_cast<const char*>(tensor),
            in_tensor(runs), runs);
}

}  // namespace muster

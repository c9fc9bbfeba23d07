// fused_all_reduce_rmsnorm: rows are normalised while their sum is still in the nearest cache.
//
// One shot: every rank shows its data, sums and normalises all rows. Two shot, in steps of as many
// rows as a slot holds: every rank shows its rows, sums and normalises a slice of them, and all
// collect the slices. A row that no slot holds is summed as all_reduce does, and normalised by
// every rank. The sum is in rank order, rounded to the dtype, and everything after it is done row
// by row by the runtime's kernels, so all three give the same bits, on every rank, and the same as
// all_reduce followed by the kernel.
#include <algorithm>

#include "plugins/backends/shm/collectives.hpp"

namespace muster::shm {
namespace {

// Sums are made this many bytes at a time, or a row if that is longer.
constexpr uint64_t kSumBytes = 16384;

constexpr uint64_t up_to_line(uint64_t bytes) {
  return (bytes + kCacheLine - 1) / kCacheLine * kCacheLine;
}

// Where the results of consecutive rows go.
struct Results {
  std::byte* recv;
  std::byte* scales;
  std::byte* residual_out;  // or NULL
};

// One call, in rows.
struct FusedRows {
  FusedRows(State& state, const muster_call& call)
      : state(state),
        call(call),
        fused(*call.fused),
        reduce(state.kernels.of(call)),
        rows(call.count / fused.hidden),
        row_bytes(fused.hidden * element_bytes(call)),
        recv_bytes(fused.quant_group == 0 ? row_bytes : fused.hidden),
        scale_bytes(fused.quant_group == 0 ? 0 : fused.hidden / fused.quant_group * sizeof(float)) {
  }

  // Rows `from` and on of x, normalised.
  void normalise(const std::byte* x, uint64_t from, uint64_t count, const Results& to) const {
    const void* const residual =
        fused.residual == nullptr ? nullptr : at(fused.residual, from * row_bytes);
    if (fused.quant_group == 0) {
      state.norms.plain(call.dtype)(to.recv, to.residual_out, x, residual, fused.weight, count,
                                    fused.hidden, fused.epsilon);
    } else {
      state.norms.quantised(call.dtype)(
          reinterpret_cast<uint8_t*>(to.recv), reinterpret_cast<float*>(to.scales), to.residual_out,
          x, residual, fused.weight, count, fused.hidden, fused.quant_group, fused.epsilon);
    }
  }

  // The sums of what state.sources point to: `count` rows, the first of which is row `from`.
  // residual_out, and recv of a call in place, may be one of the sources.
  void sum_and_normalise(uint64_t from, uint64_t count, Results to) const {
    const uint64_t most = std::max<uint64_t>(1, kSumBytes / row_bytes);
    std::byte* const sum = state.sums_of(std::min(most, count) * row_bytes);
    for (uint64_t done = 0; done < count; done += most) {
      const uint64_t next = std::min(most, count - done);
      reduce(sum, state.sources.data(), state.size(), next * fused.hidden, call.scalar,
             state.size());
      normalise(sum, from + done, next, to);
      for (const void*& source : state.sources) source = at(source, next * row_bytes);
      to.recv += next * recv_bytes;
      if (to.scales != nullptr) to.scales += next * scale_bytes;
      if (to.residual_out != nullptr) to.residual_out += next * row_bytes;
    }
  }

  State& state;
  const muster_call& call;
  const muster_fused_rmsnorm& fused;
  muster_host_reduce reduce;
  uint64_t rows;
  uint64_t row_bytes;    // of send and residual
  uint64_t recv_bytes;   // per row
  uint64_t scale_bytes;  // per row
};

Results results_of(const FusedRows& f, uint64_t row) {
  const muster_fused_rmsnorm& fused = f.fused;
  return {
      at(f.call.recv, row * f.recv_bytes),
      f.scale_bytes == 0 ? nullptr : at(fused.scale_out, row * f.scale_bytes),
      fused.residual_out == nullptr ? nullptr : at(fused.residual_out, row * f.row_bytes),
  };
}

void one_shot(const FusedRows& f) {
  Stage& stage = f.state.stage;
  const uint64_t step = stage.begin(1);
  stage.claim(step);
  copy_bytes(stage.slot(step), f.call.send, f.rows * f.row_bytes);
  stage.publish_unfenced(step);
  f.state.sources[f.state.rank()] = f.call.send;
  for (uint32_t i = 1; i < stage.size(); ++i) {
    const uint32_t r = stage.peer(i);
    stage.read(r, step);
    f.state.sources[r] = stage.slot(r, step);
  }
  f.sum_and_normalise(0, f.rows, results_of(f, 0));
  stage.finish(step);
}

// What lies where in the slots of a step of two shot: first the rows that a rank shows, of which
// its own slice becomes the sums with the residual; then the normalised rows of its slice, and
// their scales.
struct StepLayout {
  StepLayout(const FusedRows& f, uint64_t rows)
      : rows(rows),
        slice((rows + f.state.size() - 1) / f.state.size()),
        recv_at(up_to_line(rows * f.row_bytes)),
        scales_at(recv_at + up_to_line(slice * f.recv_bytes)),
        bytes(scales_at + slice * f.scale_bytes) {}

  uint64_t begin(uint32_t rank) const { return std::min(rows, rank * slice); }
  uint64_t length(uint32_t rank) const { return begin(rank + 1) - begin(rank); }

  uint64_t rows;
  uint64_t slice;  // rows of one rank, at most
  uint64_t recv_at;
  uint64_t scales_at;
  uint64_t bytes;
};

// The rows that a step takes; 0: not even one fits into a slot.
uint64_t rows_per_step(const FusedRows& f) {
  const uint64_t slot = f.state.stage.slot_bytes();
  uint64_t rows = std::min(f.rows, slot / f.row_bytes);
  while (rows != 0 && StepLayout(f, rows).bytes > slot) --rows;
  const uint64_t size = f.state.size();
  return rows > size && rows < f.rows ? rows / size * size : rows;  // equal slices
}

// Rows `from` and on.
void two_shot_step(const FusedRows& f, uint64_t from, const StepLayout& layout) {
  State& state = f.state;
  Stage& stage = state.stage;
  const uint32_t rank = state.rank();
  const uint64_t step = stage.begin(1);
  stage.claim(step);
  std::byte* const slot = stage.slot(step);
  copy_bytes(slot, at(f.call.send, from * f.row_bytes), layout.rows * f.row_bytes);
  stage.publish(step);

  const uint64_t own = layout.length(rank);
  if (own != 0) {
    const uint64_t offset = layout.begin(rank) * f.row_bytes;
    for (uint32_t r = 0; r < stage.size(); ++r) {
      if (r != rank) stage.read(r, step);
      state.sources[r] = stage.slot(r, step) + offset;
    }
    // Nobody else looks at this slice of the own slot before it is told to be reduced. The sums are
    // shown whether this rank wants them or not.
    f.sum_and_normalise(from + layout.begin(rank), own,
                        {slot + layout.recv_at,
                         f.scale_bytes == 0 ? nullptr : slot + layout.scales_at, slot + offset});
    stage.publish_reduced(step);
  }
  for (uint32_t i = 0; i < stage.size(); ++i) {
    const uint32_t r = stage.peer(i);
    const uint64_t length = layout.length(r);
    if (length == 0) continue;
    if (r != rank) stage.await_reduced(r, step);
    const std::byte* const shown = stage.slot(r, step);
    const Results to = results_of(f, from + layout.begin(r));
    copy_bytes(to.recv, shown + layout.recv_at, length * f.recv_bytes);
    if (to.scales != nullptr) {
      copy_bytes(to.scales, shown + layout.scales_at, length * f.scale_bytes);
    }
    if (to.residual_out != nullptr) {
      copy_bytes(to.residual_out, shown + layout.begin(r) * f.row_bytes, length * f.row_bytes);
    }
  }
  stage.finish(step);
}

// The sum of a row into memory of its own: recv may be too small for it.
void row_by_row(const FusedRows& f) {
  muster_call sum = f.call;
  sum.op = MUSTER_ALL_REDUCE;
  sum.recv_dtype = MUSTER_DTYPE_NONE;
  sum.fused = nullptr;
  sum.count = f.fused.hidden;
  std::byte* const x = f.state.sums_of(f.row_bytes);
  sum.recv = x;
  for (uint64_t row = 0; row < f.rows; ++row) {
    sum.send = at(f.call.send, row * f.row_bytes);
    all_reduce(f.state, sum);
    f.normalise(x, row, 1, results_of(f, row));
  }
}

}  // namespace

void fused_all_reduce_rmsnorm(State& state, const muster_call& call) {
  if (call.count == 0) return;
  const FusedRows f(state, call);
  const uint64_t bytes = f.rows * f.row_bytes;
  // Fewer rows than ranks cannot be shared out: nobody would wait for less than all of the norm.
  const bool few = f.rows < state.size() && bytes <= state.settings.one_shot_bytes;
  if (few ||
      bytes <= fused_one_shot_limit(state.settings.one_shot_bytes, state.settings.chunk_bytes)) {
    return one_shot(f);
  }
  const uint64_t most = rows_per_step(f);
  if (most == 0) return row_by_row(f);
  for (uint64_t from = 0; from < f.rows; from += most) {
    two_shot_step(f, from, StepLayout(f, std::min(most, f.rows - from)));
  }
}

}  // namespace muster::shm

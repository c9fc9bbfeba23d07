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
  const uint64_t step = stage.begin(1, kReducedAround);
  stage.claim(step);
  stage.show(stage.slot(step), f.call.send, f.rows * f.row_bytes);
  stage.publish(step);
  f.state.sources[f.state.rank()] = f.call.send;
  for (uint32_t i = 1; i < stage.size(); ++i) {
    const uint32_t r = stage.peer(i);
    const std::byte* const shown = stage.slot(r, step);
    stage.read(r, step, shown, f.rows * f.row_bytes);
    f.state.sources[r] = shown;
  }
  f.sum_and_normalise(0, f.rows, results_of(f, 0));
  stage.finish_exchange(step);
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

// Each step is shown one step ahead, and its results are collected one step behind.
class TwoShot {
 public:
  TwoShot(const FusedRows& f, uint64_t most)
      : f_(f),
        stage_(f.state.stage),
        rank_(f.state.rank()),
        most_(most),
        steps_((f.rows + most - 1) / most) {}

  void run() {
    first_ = stage_.begin(steps_);
    show(0);
    for (uint64_t i = 0; i < steps_; ++i) {
      if (i + 1 < steps_) show(i + 1);
      normalise(i);
      if (i != 0) collect(i - 1);
    }
    collect(steps_ - 1);
  }

 private:
  StepLayout layout(uint64_t i) const { return {f_, std::min(most_, f_.rows - i * most_)}; }

  // What the others need of this rank's rows.
  void show(uint64_t i) {
    const StepLayout of = layout(i);
    stage_.claim(first_ + i);
    std::byte* const slot = stage_.slot(first_ + i);
    for (uint32_t k = 1; k < stage_.size(); ++k) {
      const uint32_t r = stage_.peer(k);
      stage_.show(slot + of.begin(r) * f_.row_bytes,
                  at(f_.call.send, (i * most_ + of.begin(r)) * f_.row_bytes),
                  of.length(r) * f_.row_bytes);
    }
    stage_.publish(first_ + i);
  }

  // The own slice, into the own slot: its place among the rows is free. The sums are shown whether
  // this rank wants them or not.
  void normalise(uint64_t i) {
    const StepLayout of = layout(i);
    const uint64_t step = first_ + i;
    for (uint32_t k = 1; k < stage_.size(); ++k) stage_.read(stage_.peer(k), step);
    const uint64_t own = of.length(rank_);
    if (own == 0) return;
    const uint64_t row = i * most_ + of.begin(rank_);
    const uint64_t offset = of.begin(rank_) * f_.row_bytes;
    for (uint32_t r = 0; r < stage_.size(); ++r) {
      f_.state.sources[r] =
          r == rank_ ? at(f_.call.send, row * f_.row_bytes) : stage_.slot(r, step) + offset;
    }
    std::byte* const slot = stage_.slot(step);
    f_.sum_and_normalise(
        row, own,
        {slot + of.recv_at, f_.scale_bytes == 0 ? nullptr : slot + of.scales_at, slot + offset});
    stage_.publish_reduced(step);
    take(of, i, rank_);
  }

  void collect(uint64_t i) {
    const StepLayout of = layout(i);
    for (uint32_t k = 1; k < stage_.size(); ++k) {
      const uint32_t r = stage_.peer(k);
      if (of.length(r) == 0) continue;
      stage_.await_reduced(r, first_ + i);
      take(of, i, r);
    }
    stage_.finish(first_ + i);
  }

  // A rank's slice of the results.
  void take(const StepLayout& of, uint64_t i, uint32_t r) {
    const std::byte* const shown = stage_.slot(r, first_ + i);
    const uint64_t length = of.length(r);
    const Results to = results_of(f_, i * most_ + of.begin(r));
    copy_bytes(to.recv, shown + of.recv_at, length * f_.recv_bytes);
    if (to.scales != nullptr) {
      copy_bytes(to.scales, shown + of.scales_at, length * f_.scale_bytes);
    }
    if (to.residual_out != nullptr) {
      copy_bytes(to.residual_out, shown + of.begin(r) * f_.row_bytes, length * f_.row_bytes);
    }
  }

  const FusedRows& f_;
  Stage& stage_;
  const uint32_t rank_;
  const uint64_t most_;  // rows of a step
  const uint64_t steps_;
  uint64_t first_ = 0;
};

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
  const bool few = f.rows < state.size() && bytes <= state.settings.bands.all_reduce;
  if (few || bytes <= state.settings.bands.fused) return one_shot(f);
  const uint64_t most = rows_per_step(f);
  if (most == 0) return row_by_row(f);
  TwoShot(f, most).run();
}

}  // namespace muster::shm

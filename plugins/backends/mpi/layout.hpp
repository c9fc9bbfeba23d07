// The blocks of a buffer that is divided among the ranks: equal ones, or counts with displacements.
// In elements. Borrows the arrays; pure.
#ifndef MUSTER_PLUGINS_BACKENDS_MPI_LAYOUT_HPP
#define MUSTER_PLUGINS_BACKENDS_MPI_LAYOUT_HPP

#include <algorithm>
#include <cstdint>
#include <vector>

namespace muster::mpi {

class Layout {
 public:
  // Of no ranks: what a rank that is not the root knows.
  Layout() : Layout(0, 0) {}
  Layout(uint32_t size, uint64_t count) : size_(size), uniform_(true), counts_(size, count) {
    pack();
  }
  // displs null: packed in rank order.
  Layout(uint32_t size, const uint64_t* counts, const uint64_t* displs)
      : size_(size), uniform_(false), counts_(counts, counts + size) {
    pack();
    if (displs == nullptr) return;
    const std::vector<uint64_t> packed = from_;
    from_.assign(displs, displs + size);
    packed_ = from_ == packed;
    end_ = 0;
    for (uint32_t r = 0; r < size; ++r) end_ = std::max(end_, from_[r] + counts_[r]);
  }

  uint32_t size() const { return size_; }
  uint64_t count(uint32_t rank) const { return counts_[rank]; }
  uint64_t from(uint32_t rank) const { return from_[rank]; }
  // One past the last element of any block.
  uint64_t end() const { return end_; }
  bool packed() const { return packed_; }
  // Equal blocks by declaration.
  bool uniform() const { return uniform_; }

  // As MPI wants them; end() * unit must fit.
  void write_counts(std::vector<int>& out, uint64_t unit) const { write(counts_, out, unit); }
  void write_displacements(std::vector<int>& out, uint64_t unit) const { write(from_, out, unit); }

 private:
  void pack() {
    from_.reserve(size_);
    for (uint64_t count : counts_) {
      from_.push_back(end_);
      end_ += count;
    }
  }
  static void write(const std::vector<uint64_t>& values, std::vector<int>& out, uint64_t unit) {
    out.clear();
    for (uint64_t value : values) out.push_back(static_cast<int>(value * unit));
  }

  uint32_t size_;
  bool uniform_;
  bool packed_ = true;
  uint64_t end_ = 0;
  std::vector<uint64_t> counts_;
  std::vector<uint64_t> from_;
};

}  // namespace muster::mpi

#endif

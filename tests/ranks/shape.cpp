#include "tests/ranks/shape.hpp"

#include <algorithm>

#include "tests/ranks/values.hpp"

namespace muster::ranks {
namespace {

// A count that differs among ranks: the largest, none, half of it, or anything.
uint64_t vary(uint64_t random, uint64_t count) {
  switch (random % 4) {
    case 0:
      return count;
    case 1:
      return (random >> 8) % 2 == 0 ? 0 : count;
    case 2:
      return count / 2;
    default:
      return (random >> 8) % (count + 1);
  }
}

struct Blocks {
  std::vector<uint64_t> counts;
  std::vector<uint64_t> displs;
  uint64_t extent = 0;
};

// Packed in rank order, or in another order and with gaps.
Blocks lay_out(std::vector<uint64_t> counts, bool gaps, uint64_t random) {
  Blocks blocks;
  const size_t size = counts.size();
  blocks.counts = std::move(counts);
  blocks.displs.resize(size);
  const size_t shift = gaps ? random % size : 0;
  uint64_t next = gaps ? random % 3 : 0;
  for (size_t i = 0; i < size; ++i) {
    const size_t r = (i + shift) % size;
    blocks.displs[r] = next;
    next += blocks.counts[r];
    if (gaps) next += mix(random, i) % 6;
  }
  blocks.extent = next;
  return blocks;
}

class Sketch {
 public:
  Sketch(const Case& c, uint32_t rank, uint32_t size) : c_(c), rank_(rank), size_(size) {
    shape_.op = c.op;
    shape_.count = c.elements();
    is_root_ = !op_has_root(c.op) || c.root == rank;
  }

  Shape take() {
    draw();
    std::sort(shape_.pieces.begin(), shape_.pieces.end(),
              [](const Piece& a, const Piece& b) { return a.at < b.at; });
    return std::move(shape_);
  }

 private:
  void move(uint64_t at, uint64_t count, uint32_t source, uint64_t from) {
    if (count != 0) shape_.pieces.push_back({at, count, from, source, false});
  }
  void reduce(uint64_t count, uint64_t from) {
    if (count != 0) shape_.pieces.push_back({0, count, from, 0, true});
  }
  void in_place(uint64_t send_at, uint64_t recv_at) {
    if (!c_.in_place) return;
    shape_.in_place = true;
    shape_.send_at = send_at;
    shape_.recv_at = recv_at;
  }
  std::vector<uint64_t> counts() const {
    std::vector<uint64_t> out(size_);
    for (uint32_t r = 0; r < size_; ++r) out[r] = vary(mix(c_.seed, 1u, r), c_.count);
    return out;
  }
  // all_to_allv: what `from` sends to `to`. In place both directions are as long.
  uint64_t pair_count(uint32_t from, uint32_t to) const {
    if (c_.in_place && from > to) std::swap(from, to);
    return vary(mix(c_.seed, 2u, from, to), c_.count);
  }
  Blocks sent_by(uint32_t rank) const {
    std::vector<uint64_t> out(size_);
    for (uint32_t r = 0; r < size_; ++r) out[r] = pair_count(rank, r);
    return lay_out(std::move(out), c_.gaps, mix(c_.seed, 3u, rank));
  }
  Blocks received_by(uint32_t rank) const {
    if (c_.in_place) return sent_by(rank);
    std::vector<uint64_t> out(size_);
    for (uint32_t r = 0; r < size_; ++r) out[r] = pair_count(r, rank);
    return lay_out(std::move(out), c_.gaps, mix(c_.seed, 4u, rank));
  }
  void set_send(const Blocks& blocks) {
    shape_.send_counts = blocks.counts;
    if (c_.gaps) shape_.send_displs = blocks.displs;
  }
  void set_recv(const Blocks& blocks) {
    shape_.recv_counts = blocks.counts;
    if (c_.gaps) shape_.recv_displs = blocks.displs;
  }
  // A bound that the ranks share, or none.
  void bound(uint64_t elements) {
    if (mix(c_.seed, 5u) % 2 == 0) shape_.max_bytes = elements * bytes_of(c_.dtype) + 1;
  }

  void draw() {
    const uint64_t count = c_.elements();
    switch (c_.op) {
      case MUSTER_ALL_REDUCE:
      case MUSTER_FUSED_ALL_REDUCE_RMSNORM:
      case MUSTER_REDUCE:
        shape_.send_extent = count;
        if (!is_root_) return;
        shape_.recv_extent = count;
        in_place(0, 0);
        return reduce(count, 0);
      case MUSTER_REDUCE_SCATTER:
        shape_.send_extent = count * size_;
        shape_.recv_extent = count;
        in_place(0, rank_ * count);
        return reduce(count, rank_ * count);
      case MUSTER_REDUCE_SCATTERV:
        return reduce_scatterv();
      case MUSTER_BROADCAST:
        if (is_root_) shape_.send_extent = count;
        shape_.recv_extent = count;
        if (is_root_) in_place(0, 0);
        return move(0, count, c_.root, 0);
      case MUSTER_ALL_GATHER:
      case MUSTER_GATHER:
        shape_.send_extent = count;
        if (!is_root_) return;
        shape_.recv_extent = count * size_;
        in_place(rank_ * count, 0);
        for (uint32_t r = 0; r < size_; ++r) move(r * count, count, r, 0);
        return;
      case MUSTER_ALL_GATHERV:
      case MUSTER_GATHERV:
        return gatherv();
      case MUSTER_SCATTER:
        if (is_root_) shape_.send_extent = count * size_;
        shape_.recv_extent = count;
        if (is_root_) in_place(0, rank_ * count);
        return move(0, count, c_.root, rank_ * count);
      case MUSTER_SCATTERV:
        return scatterv();
      case MUSTER_ALL_TO_ALL:
        shape_.send_extent = shape_.recv_extent = count * size_;
        in_place(0, 0);
        for (uint32_t r = 0; r < size_; ++r) move(r * count, count, r, rank_ * count);
        return;
      case MUSTER_ALL_TO_ALLV:
        return all_to_allv();
      case MUSTER_SEND:
      case MUSTER_RECV:
        return message();
      case MUSTER_SEND_RECV:
        return ring();
      default:
        return;
    }
  }

  void reduce_scatterv() {
    const Blocks blocks = lay_out(counts(), false, 0);
    shape_.recv_counts = blocks.counts;
    shape_.count = blocks.counts[rank_];
    shape_.send_extent = blocks.extent;
    shape_.recv_extent = shape_.count;
    in_place(0, blocks.displs[rank_]);
    reduce(shape_.count, blocks.displs[rank_]);
  }
  void gatherv() {
    const Blocks blocks = lay_out(counts(), c_.gaps, mix(c_.seed, 6u));
    shape_.count = blocks.counts[rank_];
    shape_.send_extent = shape_.count;
    if (c_.op == MUSTER_GATHERV) bound(c_.count);
    if (!is_root_) return;
    set_recv(blocks);
    shape_.recv_extent = blocks.extent;
    in_place(blocks.displs[rank_], 0);
    for (uint32_t r = 0; r < size_; ++r) move(blocks.displs[r], blocks.counts[r], r, 0);
  }
  void scatterv() {
    const Blocks blocks = lay_out(counts(), c_.gaps, mix(c_.seed, 6u));
    shape_.count = blocks.counts[rank_];
    shape_.recv_extent = shape_.count;
    bound(c_.count);
    if (is_root_) {
      set_send(blocks);
      shape_.send_extent = blocks.extent;
      in_place(0, blocks.displs[rank_]);
    }
    move(0, shape_.count, c_.root, blocks.displs[rank_]);
  }
  void all_to_allv() {
    const Blocks sent = sent_by(rank_);
    const Blocks received = received_by(rank_);
    set_send(sent);
    set_recv(received);
    shape_.send_extent = sent.extent;
    shape_.recv_extent = received.extent;
    in_place(0, 0);
    bound(c_.count * size_);
    for (uint32_t r = 0; r < size_; ++r) {
      move(received.displs[r], received.counts[r], r, sent_by(r).displs[rank_]);
    }
  }
  // The root sends to another rank; who receives says recv.
  void message() {
    const uint32_t to =
        size_ == 1 ? c_.root
                   : static_cast<uint32_t>((c_.root + 1 + mix(c_.seed, 7u) % (size_ - 1)) % size_);
    shape_.takes_part = size_ > 1 && (rank_ == c_.root || rank_ == to);
    if (!shape_.takes_part) return;
    if (rank_ == c_.root) {
      shape_.op = MUSTER_SEND;
      shape_.peer = to;
      shape_.send_extent = c_.count;
      return;
    }
    shape_.op = MUSTER_RECV;
    shape_.peer = c_.root;
    shape_.recv_extent = c_.count;
    move(0, c_.count, c_.root, 0);
  }
  // Everybody sends `root` ranks further, counts differ.
  void ring() {
    const uint32_t from = (rank_ + size_ - c_.root % size_) % size_;
    const auto length = [&](uint32_t rank) { return vary(mix(c_.seed, 8u, rank), c_.count); };
    shape_.peer = (rank_ + c_.root) % size_;
    shape_.recv_peer = from;
    shape_.count = shape_.send_extent = length(rank_);
    shape_.recv_count = shape_.recv_extent = length(from);
    move(0, shape_.recv_count, from, 0);
  }

  const Case& c_;
  const uint32_t rank_;
  const uint32_t size_;
  bool is_root_;
  Shape shape_;
};

}  // namespace

Shape shape_of(const Case& c, uint32_t rank, uint32_t size) { return Sketch(c, rank, size).take(); }

}  // namespace muster::ranks

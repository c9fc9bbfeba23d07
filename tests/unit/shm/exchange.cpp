#include "tests/unit/shm/exchange.hpp"

#include <fmt/format.h>

#include <cstring>

#include "core/base/names.hpp"
#include "core/kernels/registry.hpp"
#include "muster/narrow_float.hpp"

namespace muster::shm_test {
namespace {

constexpr unsigned char kPoison = 0xa5;

bool has_pairs(muster_op op) {
  return op == MUSTER_REDUCE_SCATTERV || op == MUSTER_ALL_GATHERV || op == MUSTER_GATHERV ||
         op == MUSTER_SCATTERV || op == MUSTER_ALL_TO_ALLV || op == MUSTER_SEND_RECV;
}

// Blocks of reduce_scatterv are always packed: no backend sees displacements there.
bool has_gaps(const Exchange& x) { return x.gaps && x.op != MUSTER_REDUCE_SCATTERV; }

// The counts of a v-operation and where its blocks lie.
struct Shape {
  std::vector<uint64_t> counts, displs;
  uint64_t total = 0;
};

Shape shape_of(const std::vector<uint64_t>& counts, bool gaps) {
  Shape shape{counts, std::vector<uint64_t>(counts.size()), 0};
  for (size_t i = 0; i < counts.size(); ++i) {
    const size_t r = gaps ? counts.size() - 1 - i : i;
    shape.displs[r] = shape.total;
    shape.total += counts[r] + (gaps ? 3 : 0);
  }
  return shape;
}

// Builds the two buffers of a rank and what is expected in recv.
class Builder {
 public:
  Builder(const Exchange& exchange, uint32_t rank, Side* side)
      : x_(exchange), rank_(rank), side_(side), element_(dtype_size(exchange.dtype)) {}

  Bytes input(uint32_t rank, uint64_t count) const {
    return random_elements(x_.dtype, count, x_.seed * 1000 + rank);
  }
  Shape shape(const std::vector<uint64_t>& counts) const { return shape_of(counts, has_gaps(x_)); }
  // Block counts as rank `owner` sees them: what it gives each, or gets from each.
  std::vector<uint64_t> gives(uint32_t owner) const {
    std::vector<uint64_t> counts;
    for (uint32_t r = 0; r < x_.size; ++r) counts.push_back(x_.pair_count(owner, r));
    return counts;
  }
  std::vector<uint64_t> gets(uint32_t owner) const {
    std::vector<uint64_t> counts;
    for (uint32_t r = 0; r < x_.size; ++r) counts.push_back(x_.pair_count(r, owner));
    return counts;
  }

  // The input goes at `send_at` elements of recv when in place; the result has `recv_count`.
  void buffers(const Bytes& send, uint64_t recv_count, uint64_t send_in_recv,
               uint64_t recv_in_send = 0) {
    if (!x_.in_place) {
      side_->send = send;
      side_->recv.assign(recv_count * element_, kPoison);
      side_->call.send = side_->send.data();
      side_->call.recv = side_->recv.data();
    } else if (send.size() > recv_count * element_) {  // recv lies in send
      side_->recv = send;
      side_->call.send = side_->recv.data();
      side_->call.recv = side_->recv.data() + recv_in_send * element_;
    } else {
      side_->recv.assign(recv_count * element_, kPoison);
      put(side_->recv, send_in_recv, send, 0, send.size() / element_);
      side_->call.send = side_->recv.data() + send_in_recv * element_;
      side_->call.recv = side_->recv.data();
    }
    side_->expected = side_->recv;
  }
  uint64_t result_at() const {
    return static_cast<uint64_t>(static_cast<unsigned char*>(side_->call.recv) -
                                 side_->recv.data()) /
           element_;
  }
  // Elements of `from` into the expected result (counted from call.recv).
  void expect(uint64_t to_at, const Bytes& from, uint64_t from_at, uint64_t count) {
    put(side_->expected, result_at() + to_at, from, from_at, count);
  }
  Bytes reduced(uint64_t count) const {
    std::vector<Bytes> inputs;
    std::vector<const void*> sources;
    for (uint32_t r = 0; r < x_.size; ++r) inputs.push_back(input(r, count));
    for (const Bytes& bytes : inputs) sources.push_back(bytes.data());
    Bytes out(count * element_);
    host_reduce(x_.dtype, x_.redop)(out.data(), sources.data(), x_.size, count,
                                    x_.scaled ? side_->scalar.data() : nullptr, x_.size);
    return out;
  }

 private:
  void put(Bytes& to, uint64_t to_at, const Bytes& from, uint64_t from_at, uint64_t count) const {
    if (count == 0) return;
    std::memcpy(to.data() + to_at * element_, from.data() + from_at * element_, count * element_);
  }

  const Exchange& x_;
  uint32_t rank_;
  Side* side_;
  uint64_t element_;
};

void set_counts(const Shape& shape, bool packed, std::vector<uint64_t>* counts,
                std::vector<uint64_t>* displs, const uint64_t** call_counts,
                const uint64_t** call_displs) {
  *counts = shape.counts;
  *displs = shape.displs;
  *call_counts = counts->data();
  *call_displs = packed ? nullptr : displs->data();
}

void build(const Exchange& x, uint32_t rank, Side& side) {
  Builder b(x, rank, &side);
  const uint64_t n = x.size;
  const auto recv_shape = [&](const Shape& shape) {
    set_counts(shape, !has_gaps(x), &side.recv_counts, &side.recv_displs, &side.call.recv_counts,
               &side.call.recv_displs);
  };
  const auto send_shape = [&](const Shape& shape) {
    set_counts(shape, !has_gaps(x), &side.send_counts, &side.send_displs, &side.call.send_counts,
               &side.call.send_displs);
  };
  switch (x.op) {
    case MUSTER_ALL_REDUCE:
    case MUSTER_REDUCE:
      b.buffers(b.input(rank, x.count), x.count, 0);
      if (x.op == MUSTER_ALL_REDUCE || rank == x.root) b.expect(0, b.reduced(x.count), 0, x.count);
      break;
    case MUSTER_REDUCE_SCATTER:
      b.buffers(b.input(rank, n * x.count), x.count, 0, rank * x.count);
      b.expect(0, b.reduced(n * x.count), rank * x.count, x.count);
      break;
    case MUSTER_REDUCE_SCATTERV: {
      const Shape shape = b.shape(b.gives(0));
      recv_shape(shape);
      const uint64_t own = shape.counts[rank];
      b.buffers(b.input(rank, shape.total), own, 0, shape.displs[rank]);
      b.expect(0, b.reduced(shape.total), shape.displs[rank], own);
      break;
    }
    case MUSTER_BROADCAST:
      b.buffers(b.input(rank, x.count), x.count, 0);
      b.expect(0, b.input(x.root, x.count), 0, x.count);
      break;
    case MUSTER_ALL_GATHER:
    case MUSTER_GATHER:
      if (x.op == MUSTER_GATHER && rank != x.root) {
        side.send = b.input(rank, x.count);
        side.call.send = side.send.data();
        break;
      }
      b.buffers(b.input(rank, x.count), n * x.count, rank * x.count);
      for (uint32_t r = 0; r < n; ++r) b.expect(r * x.count, b.input(r, x.count), 0, x.count);
      break;
    case MUSTER_ALL_GATHERV:
    case MUSTER_GATHERV: {
      const Shape shape = b.shape(b.gives(0));
      side.call.count = shape.counts[rank];
      if (x.op == MUSTER_GATHERV && rank != x.root) {
        side.send = b.input(rank, shape.counts[rank]);
        side.call.send = side.send.data();
        break;
      }
      recv_shape(shape);
      b.buffers(b.input(rank, shape.counts[rank]), shape.total, shape.displs[rank]);
      for (uint32_t r = 0; r < n; ++r) {
        b.expect(shape.displs[r], b.input(r, shape.counts[r]), 0, shape.counts[r]);
      }
      break;
    }
    case MUSTER_SCATTER:
      if (rank == x.root) {
        b.buffers(b.input(rank, n * x.count), x.count, 0, rank * x.count);
      } else {
        side.recv.assign(x.count * dtype_size(x.dtype), kPoison);
        side.expected = side.recv;
        side.call.recv = side.recv.data();
      }
      b.expect(0, b.input(x.root, n * x.count), rank * x.count, x.count);
      break;
    case MUSTER_SCATTERV: {
      const Shape shape = b.shape(b.gives(0));
      const uint64_t own = shape.counts[rank];
      side.call.count = own;
      if (rank == x.root) {
        send_shape(shape);
        b.buffers(b.input(rank, shape.total), own, 0, shape.displs[rank]);
      } else {
        side.recv.assign(own * dtype_size(x.dtype), kPoison);
        side.expected = side.recv;
        side.call.recv = side.recv.data();
      }
      b.expect(0, b.input(x.root, shape.total), shape.displs[rank], own);
      break;
    }
    case MUSTER_ALL_TO_ALL:
      b.buffers(b.input(rank, n * x.count), n * x.count, 0);
      for (uint32_t r = 0; r < n; ++r) {
        b.expect(r * x.count, b.input(r, n * x.count), rank * x.count, x.count);
      }
      break;
    case MUSTER_ALL_TO_ALLV: {
      const Shape out = b.shape(b.gives(rank));
      const Shape in = b.shape(b.gets(rank));
      send_shape(out);
      recv_shape(in);
      b.buffers(b.input(rank, out.total), in.total, 0);
      for (uint32_t r = 0; r < n; ++r) {
        const Shape theirs = b.shape(b.gives(r));
        b.expect(in.displs[r], b.input(r, theirs.total), theirs.displs[rank], in.counts[r]);
      }
      break;
    }
    case MUSTER_SEND:
      side.takes_part = rank == x.root || rank == x.peer;
      if (rank == x.root) {
        side.call.peer = x.peer;
        side.send = b.input(rank, x.count);
        side.call.send = side.send.data();
      } else if (rank == x.peer) {
        side.call.op = MUSTER_RECV;
        side.call.peer = x.root;
        side.recv.assign(x.count * dtype_size(x.dtype), kPoison);
        side.expected = side.recv;
        side.call.recv = side.recv.data();
        b.expect(0, b.input(x.root, x.count), 0, x.count);
      }
      break;
    case MUSTER_SEND_RECV: {  // around the ring, `root` places on
      side.call.peer = static_cast<uint32_t>((rank + x.root) % n);
      side.call.recv_peer = static_cast<uint32_t>((rank + n - x.root) % n);
      const uint32_t from = side.call.recv_peer;
      side.call.count = x.pair_count(0, rank);
      side.call.recv_count = x.pair_count(0, from);
      side.send = b.input(rank, side.call.count);
      side.call.send = side.send.data();
      side.recv.assign(side.call.recv_count * dtype_size(x.dtype), kPoison);
      side.expected = side.recv;
      side.call.recv = side.recv.data();
      b.expect(0, b.input(from, side.call.recv_count), 0, side.call.recv_count);
      break;
    }
    default:
      break;
  }
}

}  // namespace

std::string Exchange::text() const {
  return fmt::format("{} {} {} ranks {} count {} root {} peer {}{}{}{} seed {}", op_name(op),
                     dtype_name(dtype), redop_name(redop), size, count, root, peer,
                     in_place ? " in place" : "", gaps ? " gaps" : "", scaled ? " scaled" : "",
                     seed);
}

uint64_t Exchange::pair_count(uint32_t from, uint32_t to) const {
  if (count == 0) return 0;
  // In place both directions of an all_to_allv have one layout.
  if (op == MUSTER_ALL_TO_ALLV && in_place && from > to) std::swap(from, to);
  std::mt19937_64 random(seed * 7919 + from * 131 + to);
  const uint64_t draw = random();
  if (draw % 5 == 0) return 0;
  return draw % 5 == 1 ? count : random() % (count + 1);
}

Bytes random_elements(muster_dtype dtype, uint64_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes bytes(count * dtype_size(dtype));
  const auto fill = [&](auto next) {
    for (uint64_t i = 0; i < count; ++i) {
      const auto value = next();
      std::memcpy(bytes.data() + i * sizeof(value), &value, sizeof(value));
    }
  };
  const auto uniform = [&] { return static_cast<double>(random() >> 11) * 0x1p-51 - 2.0; };
  switch (dtype) {
    case MUSTER_BOOL:
      fill([&] { return static_cast<uint8_t>(random() & 1); });
      break;
    case MUSTER_F16:
      fill([&] { return f32_to_f16(static_cast<float>(uniform())); });
      break;
    case MUSTER_BF16:
      fill([&] { return f32_to_bf16(static_cast<float>(uniform())); });
      break;
    case MUSTER_F32:
      fill([&] { return static_cast<float>(uniform()); });
      break;
    case MUSTER_F64:
      fill(uniform);
      break;
    default:
      for (size_t i = 0; i < bytes.size(); i += 8) {
        const uint64_t draw = random();
        std::memcpy(bytes.data() + i, &draw, std::min<size_t>(8, bytes.size() - i));
      }
  }
  return bytes;
}

std::unique_ptr<Side> side_of(const Exchange& exchange, uint32_t rank) {
  auto side = std::make_unique<Side>();
  side->call.struct_size = MUSTER_CALL_SIZE;
  side->call.op = exchange.op;
  side->call.dtype = exchange.dtype;
  side->call.redop = exchange.redop;
  side->call.root = exchange.root;
  side->call.count = exchange.count;
  side->call.flags = exchange.in_place ? uint32_t{MUSTER_CALL_IN_PLACE} : 0;
  if (exchange.scaled) {
    side->scalar = random_elements(exchange.dtype, 1, exchange.seed + 5);
    side->call.scalar = side->scalar.data();
  }
  build(exchange, rank, *side);
  return side;
}

Exchange random_exchange(std::mt19937_64& random, uint32_t size, uint64_t most_count) {
  Exchange x;
  x.size = size;
  do {
    x.op = static_cast<muster_op>(1 + random() % (MUSTER_OP_END - 1));
  } while (x.op == MUSTER_FUSED_ALL_REDUCE_RMSNORM || x.op == MUSTER_RECV);
  if (op_reduces(x.op)) {
    x.dtype = static_cast<muster_dtype>(1 + random() % MUSTER_F64);
    do {
      x.redop = static_cast<muster_redop>(1 + random() % (MUSTER_REDOP_END - 1));
    } while (!redop_applies(x.redop, x.dtype));
  } else {
    x.dtype = static_cast<muster_dtype>(1 + random() % (MUSTER_DTYPE_END - 1));
  }
  // As many small counts as large ones.
  uint64_t bits = 1;
  while (most_count >> bits != 0) ++bits;
  x.count = random() % (uint64_t{1} << (random() % (bits + 1)));
  x.root = static_cast<uint32_t>(random() % size);
  x.peer = static_cast<uint32_t>((x.root + 1 + random() % (size - 1)) % size);
  x.in_place = random() % 3 == 0 && x.op != MUSTER_SEND && x.op != MUSTER_SEND_RECV;
  x.gaps = has_pairs(x.op) && random() % 2 == 0;
  x.scaled = x.redop == MUSTER_SUM && random() % 4 == 0;
  x.seed = random() % 1'000'000;
  return x;
}

}  // namespace muster::shm_test

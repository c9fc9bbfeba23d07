#include <algorithm>
#include <cmath>
#include <cstring>

#include "muster/narrow_float.hpp"
#include "tests/gpu/peer/suites.hpp"
#include "tests/gpu/peer/trial.hpp"

namespace muster::peer_test {
namespace {

constexpr muster_op kOps[] = {MUSTER_ALL_REDUCE, MUSTER_REDUCE_SCATTER, MUSTER_ALL_GATHER,
                              MUSTER_ALL_TO_ALL, MUSTER_BROADCAST};
constexpr muster_dtype kFloats[] = {MUSTER_BF16, MUSTER_F16, MUSTER_F32};
constexpr uint64_t kSmall[] = {1,    2,    3,     8,     29,     30,     31,
                               59,   60,   61,    127,   240,    1000,   1024,
                               4099, 8192, 10007, 65536, 100003, 262144, 600011};
constexpr uint64_t kFew[] = {5, 61, 4099, 100003};
constexpr uint64_t kLarge[] = {(1 << 20) + 3, 3 << 20, 8 << 20, 16 << 20, 32 << 20};

bool reduces(muster_op op) { return op == MUSTER_ALL_REDUCE || op == MUSTER_REDUCE_SCATTER; }

bool is_nan(muster_dtype dtype, const Bytes& bytes, uint64_t i) {
  if (dtype == MUSTER_F32) {
    float v;
    std::memcpy(&v, bytes.data() + i * sizeof(v), sizeof(v));
    return std::isnan(v);
  }
  uint16_t bits;
  std::memcpy(&bits, bytes.data() + i * sizeof(bits), sizeof(bits));
  return std::isnan(dtype == MUSTER_F16 ? f16_to_f32(bits) : bf16_to_f32(bits));
}

void once(Arena& arena, const Case& c, Place place, uint64_t shift) {
  const uint64_t elements = std::max(c.send_count(arena.rank.size), c.recv_count(arena.rank.size));
  if (elements * muster_dtype_size(c.dtype) + 4 * Trial::kMargin > arena.bytes) return;
  Trial trial(arena, c, place, shift);
  trial.reset();
  if (const std::string cause = trial.run(); !cause.empty()) {
    arena.rank.board.fail("rank " + std::to_string(arena.rank.rank) + " " + c.name() + ": " +
                          cause);
    return;
  }
  trial.check(shift == 0 ? "" : "unaligned by " + std::to_string(shift));
}

}  // namespace

void correctness(Rank& rank, uint64_t largest, Knowledge knowledge) {
  Arena arena(rank, largest, knowledge);
  uint64_t seed = 1;
  for (const muster_op op : kOps) {
    const uint32_t root = rank.size - 1;
    const muster_redop redop = reduces(op) ? MUSTER_SUM : MUSTER_REDOP_NONE;
    for (const muster_dtype dtype : kFloats) {
      const uint64_t size = muster_dtype_size(dtype);
      for (const uint64_t count : kSmall) {
        const Case c{op, dtype, redop, count, root, 1.0f, ++seed};
        once(arena, c, Place::kOut, 0);
        once(arena, c, Place::kIn, 0);
        once(arena, c, Place::kOut, size);
      }
      for (const uint64_t count : kLarge) {
        const Case c{op, dtype, redop, count, root, 1.0f, ++seed};
        once(arena, c, count % 2 == 0 ? Place::kOut : Place::kIn, 0);
      }
      once(arena, {op, dtype, redop, (1 << 20) + 5, root, 1.0f, ++seed}, Place::kOut, size);
    }
    if (!reduces(op)) {
      for (const uint64_t count : kFew) {
        once(arena, {op, MUSTER_U8, redop, count, 0, 1.0f, ++seed}, Place::kOut, 1);
        once(arena, {op, MUSTER_I64, redop, count, 0, 1.0f, ++seed}, Place::kIn, 0);
      }
      continue;
    }
    for (const muster_dtype dtype : kFloats) {
      for (const uint64_t count : kFew) {
        for (const muster_redop other : {MUSTER_PROD, MUSTER_MIN, MUSTER_MAX, MUSTER_AVG}) {
          once(arena, {op, dtype, muster_redop(other), count, 0, 1.0f, ++seed}, Place::kOut, 0);
        }
        once(arena, {op, dtype, MUSTER_SUM, count, 0, 0.5f, ++seed}, Place::kOut, 0);
      }
    }
  }
}

void all_bits_set(Rank& rank) {
  constexpr unsigned char kSet = 0xff;
  Arena arena(rank, uint64_t{24} << 20);
  for (const muster_dtype dtype : kFloats) {
    const uint64_t size = muster_dtype_size(dtype);
    for (const muster_redop redop : {MUSTER_SUM, MUSTER_MAX}) {
      for (const uint64_t bytes : {uint64_t{4096}, uint64_t{200000}, uint64_t{3} << 20,
                                   uint64_t{6000000}, uint64_t{20} << 20}) {
        MUSTER_MUST(test_driver().fill(arena.send, kSet, bytes, rank.stream));
        MUSTER_MUST(test_driver().fill(arena.recv, 0, bytes, rank.stream));
        std::string cause = rank.execute(
            rank.call(MUSTER_ALL_REDUCE, dtype, redop, bytes / size, arena.send, arena.recv));
        rank.synchronize();
        if (cause.empty()) cause = rank.async_error();
        Bytes got(bytes / size * size);
        MUSTER_MUST(test_driver().copy_out(got.data(), arena.recv, got.size(), rank.stream));
        rank.synchronize();
        uint64_t numbers = 0;
        for (uint64_t i = 0; i < bytes / size; ++i) numbers += is_nan(dtype, got, i) ? 0 : 1;
        if (cause.empty() && numbers != 0)
          cause = std::to_string(numbers) + " elements are numbers";
        if (cause.empty()) {
          rank.board.pass();
        } else {
          rank.board.fail("all_reduce of " + std::to_string(bytes) + " bytes of NaN: " + cause);
        }
      }
    }
  }
}

void graphs(Rank& rank) {
  constexpr uint64_t kBytes = uint64_t{24} << 20;
  struct Entry {
    Entry(Rank& rank, const Case& c, Place place)
        : arena(rank, kBytes), trial(arena, c, place, 0) {}
    Arena arena;
    Trial trial;
  };
  std::vector<std::unique_ptr<Entry>> entries;
  const auto add = [&](const Case& c, Place place) {
    entries.push_back(std::make_unique<Entry>(rank, c, place));
  };
  add({MUSTER_ALL_REDUCE, MUSTER_BF16, MUSTER_SUM, 512}, Place::kOut);
  add({MUSTER_ALL_REDUCE, MUSTER_F32, MUSTER_SUM, 100003}, Place::kOut);
  add({MUSTER_ALL_GATHER, MUSTER_F16, MUSTER_REDOP_NONE, 777}, Place::kOut);
  add({MUSTER_ALL_REDUCE, MUSTER_F16, MUSTER_MAX, 1 << 20}, Place::kOut);
  add({MUSTER_REDUCE_SCATTER, MUSTER_BF16, MUSTER_SUM, 5000}, Place::kOut);
  add({MUSTER_BROADCAST, MUSTER_F32, MUSTER_REDOP_NONE, 3001, 1}, Place::kOut);
  add({MUSTER_ALL_REDUCE, MUSTER_BF16, MUSTER_SUM, 10 << 20}, Place::kOut);
  add({MUSTER_ALL_TO_ALL, MUSTER_BF16, MUSTER_REDOP_NONE, 2049}, Place::kOut);
  add({MUSTER_ALL_GATHER, MUSTER_BF16, MUSTER_REDOP_NONE, 1 << 20}, Place::kOut);
  add({MUSTER_ALL_REDUCE, MUSTER_BF16, MUSTER_SUM, 4096}, Place::kOut);
  for (const auto& entry : entries) entry->trial.reset();
  const Exec exec = rank.capture([&] {
    for (const auto& entry : entries) {
      if (const std::string cause = entry->trial.run(); !cause.empty()) rank.board.fail(cause);
    }
  });
  for (uint64_t round = 0; round < 4; ++round) {
    for (const auto& entry : entries) entry->trial.reseed(100 + round);
    for (int replay = 0; replay < 25; ++replay) {
      MUSTER_MUST(test_driver().graph_launch(exec, rank.stream));
    }
    for (const auto& entry : entries) {
      entry->trial.check("in replay " + std::to_string(25 * (round + 1)));
    }
  }
  // Eager calls between replays use the same counters.
  for (const auto& entry : entries) entry->trial.reseed(200);
  for (const auto& entry : entries) entry->trial.run();
  for (const auto& entry : entries) entry->trial.check("eagerly after the replays");
  rank.synchronize();
  rank.board.barrier();
  MUSTER_MUST(test_driver().exec_destroy(exec));
}

void absence(Rank& rank) {
  Arena arena(rank, 1 << 20);
  Trial trial(arena, {MUSTER_ALL_REDUCE, MUSTER_F32, MUSTER_SUM, 1000}, Place::kOut, 0);
  trial.reset();
  if (rank.rank == 0) {
    std::string cause = trial.run();
    rank.synchronize();
    if (cause.empty()) cause = rank.async_error();
    if (cause.find("waited in vain") != std::string::npos) {
      rank.board.pass();
    } else {
      rank.board.fail("a kernel whose peer is absent ended with '" + cause + "'");
    }
    cause = trial.run();
    if (!cause.empty()) {
      rank.board.pass();
    } else {
      rank.board.fail("a call after a failed one was taken");
    }
  }
  rank.board.barrier();
}

}  // namespace muster::peer_test

// The compiled dispatch table of one group, and what was known when it was compiled.
//
// Row (key.hpp) -> bands of sizes -> ordered candidates. Built once by compile_chain, then
// read-only; the runtime fills in the functions of the backends that connected, and links. The
// dispatch path and explain read the same arrays: explain by index, dispatch by the addresses that
// link leaves in them.
#ifndef MUSTER_CORE_CHAIN_TABLE_HPP
#define MUSTER_CORE_CHAIN_TABLE_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "core/chain/key.hpp"
#include "muster/backend.h"

namespace muster {

using ExecuteFunction = muster_status* (*)(muster_backend_group*, const muster_call*);

// Properties of a call beside its row and size, as bits; a candidate refuses some of them.
enum CallTraits : uint32_t {
  kTraitInPlace = 1u << 0,
  kTraitNotSymmetric = 1u << 1,
  kTraitQuantised = 1u << 2,
  kTraitOutOfPlace = 1u << 3,
  kTraitStream = 1u << 8,  // shifted by the stream kind
  kTraitAny =
      1u << 31  // every call has it: a candidate with a further condition refuses it at first
};
inline uint32_t call_traits(uint32_t call_flags, muster_stream_kind stream) {
  static_assert(uint32_t{MUSTER_CALL_IN_PLACE} == uint32_t{kTraitInPlace} &&
                uint32_t{MUSTER_CALL_SYMMETRIC} == uint32_t{kTraitNotSymmetric} &&
                uint32_t{MUSTER_CALL_QUANTISED} == uint32_t{kTraitQuantised});
  const uint32_t flags =
      call_flags & (MUSTER_CALL_IN_PLACE | MUSTER_CALL_SYMMETRIC | MUSTER_CALL_QUANTISED);
  return (flags ^ MUSTER_CALL_SYMMETRIC) | ((~flags & MUSTER_CALL_IN_PLACE) << 3) |
         (kTraitStream << stream) | kTraitAny;
}
inline uint32_t call_traits(const muster_call& call) {
  return call_traits(call.flags, call.stream.kind);
}

constexpr uint16_t kComposed = UINT16_MAX;

struct Counter {
  uint64_t calls = 0;
  uint64_t bytes = 0;
};

struct Candidate {
  ExecuteFunction execute = nullptr;
  muster_backend_group* state = nullptr;
  Counter* counters = nullptr;   // [operation], of its backend
  uint64_t multiple = 1;         // selection_bytes must be one of it
  uint32_t refuses = 0;          // traits
  uint16_t backend = kComposed;  // index into Chain::backends
  uint16_t rule = 0;             // index into its rules; the recipe of a composed one
  // Whether it refuses, or may refuse, calls without options: [in place]. Once linked.
  uint8_t refuses_plain[2] = {1, 1};
};

// The candidates of sizes up to bytes_to (from the end of the band before). The last band of every
// row holds the unsized calls.
struct Band {
  uint64_t bytes_to = kUnsized;
  uint64_t element = 0;  // bytes, of the row's dtype; 0: nobody offers the row
  uint32_t first = 0;
  uint32_t count = 0;
  const Candidate* head = nullptr;  // once linked: the first candidate, or one that refuses all
};

struct Table {
  std::vector<uint32_t> rows;  // cell_index -> first band
  std::vector<Band> bands;
  std::vector<Candidate> candidates;
  uint8_t memory_slot[MUSTER_MEMORY_END];  // kNoSlot: no rule names this kind
  static constexpr uint8_t kNoSlot = 0xFF;
  // Once linked: rows, as addresses. Those of messages begin with the band of unsized calls, which
  // all messages are.
  std::vector<const Band*> linked_rows;

  // Fills in the addresses. From then on the table stays where it is.
  void link();

  const Band* band(uint32_t row, uint64_t bytes) const {
    const Band* band = bands.data() + rows[row];
    while (band->bytes_to < bytes) ++band;
    return band;
  }
  // The first candidate that takes the call; NULL when none does.
  const Candidate* find(uint32_t row, uint64_t bytes, uint32_t traits) const {
    const Band* const at = band(row, bytes);
    const Candidate* candidate = candidates.data() + at->first;
    for (uint32_t i = 0; i < at->count; ++i, ++candidate) {
      if ((candidate->refuses & traits & ~uint32_t{kTraitAny}) == 0 &&
          (candidate->multiple <= 1 || bytes % candidate->multiple == 0)) {
        return candidate;
      }
    }
    return nullptr;
  }
};

}  // namespace muster

#endif

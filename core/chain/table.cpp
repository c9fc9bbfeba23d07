#include "core/chain/table.hpp"

namespace muster {
namespace {

// What an empty band has instead of a first candidate.
constexpr Candidate kNobody = [] {
  Candidate nobody;
  nobody.refuses = kTraitAny;
  return nobody;
}();

}  // namespace

void Table::link() {
  constexpr uint32_t kPlain = kTraitNotSymmetric | (kTraitStream << MUSTER_STREAM_NONE) | kTraitAny;
  for (Candidate& candidate : candidates) {
    candidate.refuses_plain[0] = (candidate.refuses & (kPlain | kTraitOutOfPlace)) != 0;
    candidate.refuses_plain[1] = (candidate.refuses & (kPlain | kTraitInPlace)) != 0;
  }
  for (Band& band : bands) band.head = band.count == 0 ? &kNobody : &candidates[band.first];
  linked_rows.resize(rows.size());
  for (size_t row = 0; row < rows.size(); ++row) linked_rows[row] = &bands[rows[row]];
  for (size_t plane = 0; plane < rows.size(); plane += cell::kPlane) {
    for (muster_dtype dtype = 0; dtype < MUSTER_DTYPE_END; ++dtype) {
      const Band*& band = linked_rows[plane + cell::kBase[MUSTER_SEND] + dtype];
      while (band->bytes_to != kUnsized) ++band;
    }
  }
}

}  // namespace muster

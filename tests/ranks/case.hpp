// One call of the matrix or the soak: everything that decides what is called with which data, as
// one line of text that repeats it.
#ifndef MUSTER_TESTS_RANKS_CASE_HPP
#define MUSTER_TESTS_RANKS_CASE_HPP

#include <cstdint>
#include <optional>
#include <string>

#include "muster/types.h"

namespace muster::ranks {

// How the call is made.
enum class Mode : uint32_t {
  kFunction,   // muster_all_reduce and so on
  kExecute,    // the explicit call
  kStartWait,  // started, waited for
  kStartTest,  // started together with a barrier, polled
  kPlan,       // frozen, replayed with other data
  kBatch,      // in a batch with messages between all ranks
  kEnd
};
const char* mode_name(Mode mode);

// Where the buffers of a call lie.
enum class Place : uint32_t {
  kOrdinary,
  kShared,  // all of them in memory that every rank of the group knows
  kSend,    // what is sent only; in place that is everything
  kRecv,    // what is received only; likewise
  kMixed,   // some buffers of some ranks
  kEnd
};
const char* place_name(Place place);

struct Case {
  muster_op op = MUSTER_ALL_REDUCE;
  muster_dtype dtype = MUSTER_F32;  // NONE: barrier
  muster_redop redop = MUSTER_REDOP_NONE;
  uint64_t count = 0;  // v-operations: the largest; fused: rows of kHidden elements
  uint32_t root = 0;   // rooted operations; send, recv and send_recv: who sends to whom
  bool in_place = false;
  bool gaps = false;       // v-operations: displacements with gaps, blocks out of order
  bool special = false;    // NaN, infinities, zeros among the floats
  bool scalar = false;     // sum: pre-multiplied
  bool quantised = false;  // fused, out of place: quantised output
  bool stepwise = false;   // reductions of 16-bit floats may be rounded at every step
  Mode mode = Mode::kExecute;
  Place place = Place::kOrdinary;
  uint64_t seed = 0;

  // Elements of the call's count: fused counts in rows.
  uint64_t elements() const;
};
inline constexpr uint64_t kHidden = 96;      // elements of a row of the fused operation
inline constexpr uint64_t kQuantGroup = 32;  // of them, with one scale

bool op_reduces(muster_op op);  // the fused one, too
bool op_has_root(muster_op op);
bool op_has_vectors(muster_op op);
bool op_is_message(muster_op op);

std::string text_of(const Case& c);
// The opposite; nothing for text that is not a case.
std::optional<Case> case_of(const std::string& text);

}  // namespace muster::ranks

#endif

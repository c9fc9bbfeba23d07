// The known-answer test: before a backend serves a group it computes, on all ranks, small sums
// whose results are known.
//
// Each offered (operation, dtype, reduce operation) once at a small count, each rule once at its
// lower edge; what was left untested is named. The ranks proceed in step: after every slice they
// agree whether to go on. The first slice, which has each operation once, is always asked; what
// follows has a time budget.
#ifndef MUSTER_CORE_AGREE_KNOWN_ANSWER_HPP
#define MUSTER_CORE_AGREE_KNOWN_ANSWER_HPP

#include <string>

#include "core/agree/exchange.hpp"
#include "core/agree/passed_tests.hpp"
#include "core/chain/chain.hpp"
#include "core/dispatch/group.hpp"

namespace muster {

struct KnownAnswerResult {
  std::string failure;  // "" when everything was right; equal on all ranks
  bool cached = false;  // every rank knows of the same pass (passed_tests.hpp)
  uint64_t tested = 0;
  uint64_t untested = 0;  // for lack of time
  std::string first_untested;
  uint64_t unasked = 0;  // rules that no question is about
  std::string first_unasked;

  std::string text() const;  // of a pass: "16 known answers; 3 untested for lack of time, ..."
};

// Tests a connected backend: on host memory, and on the kinds of device memory, as bits, that every
// rank knows. [collective]
Result<KnownAnswerResult> known_answer_test(muster_group& group, const LiveBackend& backend,
                                            const std::vector<muster_rule>& rules,
                                            uint64_t known_memory, const PassedTests& passed,
                                            Exchange& exchange, uint64_t budget_ns);

}  // namespace muster

#endif

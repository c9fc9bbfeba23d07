// Runs one case where it belongs: in a child of its own, as the ranks of a launcher, or, if that is
// asked for, in this process.
#ifndef MUSTER_TESTS_KIT_CHECK_RUN_CASE_HPP
#define MUSTER_TESTS_KIT_CHECK_RUN_CASE_HPP

#include <string>

#include "tests/kit/check/catalogue.hpp"
#include "tests/kit/check/verdict.hpp"

namespace muster::check {

// In children. setup was written to its root.
Verdict run_in_children(const Case& c, const Setup& setup);
// Ranks as threads; a crash is this process's.
Verdict run_in_process(const Case& c, const Setup& setup);

// The other end of run_in_children: one rank. Returns its exit code.
int rank_main(const std::string& root, const std::string& name);

}  // namespace muster::check

#endif

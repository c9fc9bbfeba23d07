// The verdict of one rank on its way to the process that runs the cases: a file per rank.
#ifndef MUSTER_TESTS_KIT_CHECK_RANK_FILE_HPP
#define MUSTER_TESTS_KIT_CHECK_RANK_FILE_HPP

#include <cstdint>
#include <optional>
#include <string>

#include "tests/kit/check/catalogue.hpp"
#include "tests/kit/check/verdict.hpp"

namespace muster::check {

void write_verdict(const Scene& scene, uint32_t rank, const Verdict& verdict);
// Nothing when the rank has not written one.
std::optional<Verdict> read_verdict(const std::string& directory, uint32_t rank);

// Which rank the launcher says that this process is; 0 without one.
uint32_t launched_rank();

// Runs a case here, as one rank; turns whatever leaves it into a verdict.
Verdict run_here(const Case& c, const Scene& scene);

}  // namespace muster::check

#endif

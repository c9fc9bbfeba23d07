// Where the tokens of a mixture of experts go: a seeded stand-in for a trained router.
//
// An expert's popularity is log-normal (sigma 0.5: of 128 experts the busiest has about three and a
// half times the mean load), and a token takes the experts with the highest log popularity plus
// Gumbel noise, which is sampling without replacement by popularity. Pure: every rank computes the
// same table.
#ifndef MUSTER_CORE_CLI_ROUTING_HPP
#define MUSTER_CORE_CLI_ROUTING_HPP

#include <cstdint>
#include <vector>

namespace muster::cli {

// Entry [from * ranks + to]: how many copies of its `tokens` tokens rank `from` sends to rank `to`,
// one per chosen expert that lives there. Experts lie in equal blocks, the last of which may be
// smaller. A row sums to tokens * choices; choices <= experts.
std::vector<uint64_t> route_tokens(uint64_t tokens, uint64_t experts, uint64_t choices,
                                   uint32_t ranks, uint64_t seed);

}  // namespace muster::cli

#endif

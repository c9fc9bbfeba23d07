// Exchanges among the ranks of a group in the making: equal digests first, texts of what differs
// second, votes with their causes.
#ifndef MUSTER_CORE_AGREE_EXCHANGE_HPP
#define MUSTER_CORE_AGREE_EXCHANGE_HPP

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/digest.hpp"
#include "core/base/status.hpp"
#include "core/bootstrap/world.hpp"

namespace muster {

// One item that all ranks should have alike.
struct Compared {
  std::string name;
  std::string text;  // canonical
};

// Who does not agree with the first rank about an item.
struct Difference {
  size_t item;
  uint32_t rank;  // the first group rank that differs from rank 0
  std::string at_rank_0;
  std::string at_rank;
};

class Exchange {
 public:
  Exchange(World& world, std::span<const uint32_t> ranks, uint64_t tag, uint64_t deadline_ns)
      : world_(world), ranks_(ranks), tag_(tag), deadline_ns_(deadline_ns) {}

  // Round 1: digests by a min/max reduction. Round 2, only for what differs: the texts.
  Result<std::vector<Difference>> compare(std::span<const Compared> items);

  // One cause per ballot, "" for yes. The result has for every ballot the causes of those who said
  // no: "rank 2: ...; rank 5: ...",
  // "" when all said yes. Equal on all ranks.
  Result<std::vector<std::string>> vote(std::span<const std::string> causes);

  // Every rank's text. Where ranks have failures to tell instead, all ranks get one status of them
  // all, with the code of the first: nobody waits for a rank that found a mistake.
  Result<std::vector<std::string>> gather(const Result<std::string>& mine);

  // The largest of every rank's values.
  Result<std::vector<uint64_t>> largest(std::span<const uint64_t> values);

 private:
  World& world_;
  std::span<const uint32_t> ranks_;
  uint64_t tag_;
  uint64_t deadline_ns_;
};

}  // namespace muster

#endif

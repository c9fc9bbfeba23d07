// A group that a rank wishes to be in, what the ranks tell each other about their wishes, and
// whether all wishes fit together.
//
// Pure; any thread.
#ifndef MUSTER_CORE_PARALLEL_WISH_HPP
#define MUSTER_CORE_PARALLEL_WISH_HPP

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/status.hpp"
#include "muster/muster.h"

namespace muster {

struct GroupWish {
  std::vector<uint32_t> ranks;  // world ranks in group order
  muster_memory memory = MUSTER_HOST;
  muster_determinism determinism = MUSTER_NONDETERMINISTIC;
  bool checked = false;
  std::string name = "group";

  // Borrows the name.
  muster_group_options options() const;
  // Everything but the ranks, for comparison and for people.
  std::string text() const;
};

// One rank's wishes as bytes, and back: by rank list and text().
struct TextWish {
  std::vector<uint32_t> ranks;
  std::string options;
  friend auto operator<=>(const TextWish&, const TextWish&) = default;
};
std::string encode(std::span<const GroupWish> wishes);
Result<std::vector<TextWish>> decode_wishes(const std::string& bytes);

// Every member of a list asks for it the same number of times, with the same options; else the
// cause names the list and the ranks. wishes: by world rank, each with itself in all of its lists.
Status check_wishes(std::span<const std::vector<TextWish>> wishes);

// The order in which a rank makes its groups: indices of its wishes. Every rank's order is a part
// of one order over all groups, so ranks that make groups one after the other cannot wait for each
// other in a circle.
std::vector<size_t> creation_order(std::span<const GroupWish> wishes);

}  // namespace muster

#endif

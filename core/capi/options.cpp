#include "core/capi/options.hpp"

#include <fmt/format.h>

#include <set>

#include "core/capi/record.hpp"

namespace muster {

Result<GroupWish> read_group_options(const std::string& where,
                                     const muster_group_options* options) {
  muster_group_options filled{};
  if (options != nullptr) {
    MUSTER_TRY(read_record(where + ": options", "MUSTER_GROUP_OPTIONS_SIZE",
                           MUSTER_STRUCT_SIZE(muster_group_options, memory), options, &filled,
                           sizeof(filled)));
  }
  if (filled.memory >= MUSTER_MEMORY_END || filled.determinism >= MUSTER_DETERMINISM_END) {
    return Status(MUSTER_INVALID_ARGUMENT,
                  fmt::format("{}: memory kind {} or determinism class {} is unknown", where,
                              filled.memory, filled.determinism),
                  "see muster/types.h");
  }
  GroupWish wish;
  if (filled.memory != MUSTER_MEMORY_DEFAULT) wish.memory = filled.memory;
  wish.determinism = filled.determinism;
  wish.checked = filled.checked != 0;
  if (filled.name != nullptr) wish.name = filled.name;
  return wish;
}

Result<std::vector<uint32_t>> read_ranks(const std::string& where, const muster_runtime& runtime,
                                         const uint32_t* ranks, uint32_t count) {
  const uint32_t world = runtime.world->size();
  std::vector<uint32_t> list;
  if (ranks == nullptr) {
    for (uint32_t r = 0; r < world; ++r) list.push_back(r);
    return list;
  }
  list.assign(ranks, ranks + count);
  std::set<uint32_t> seen;
  for (const uint32_t rank : list) {
    if (rank < world && seen.insert(rank).second) continue;
    return Status(MUSTER_INVALID_ARGUMENT,
                  rank >= world ? fmt::format("{}: rank {} is outside the world of {} ranks", where,
                                              rank, world)
                                : fmt::format("{}: rank {} is listed twice", where, rank),
                  "give every member's world rank once");
  }
  if (seen.count(runtime.world->rank()) == 0) {
    return Status(
        MUSTER_INVALID_ARGUMENT,
        fmt::format("{}: this rank ({}) is not in the list", where, runtime.world->rank()),
        "only the members of a group ask for it");
  }
  return list;
}

}  // namespace muster

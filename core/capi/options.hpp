// What several functions of the C API ask of their arguments.
#ifndef MUSTER_CORE_CAPI_OPTIONS_HPP
#define MUSTER_CORE_CAPI_OPTIONS_HPP

#include "core/agree/runtime.hpp"
#include "core/base/status.hpp"
#include "core/parallel/wish.hpp"
#include "muster/muster.h"

namespace muster {

// The values of group options, checked; `where` begins the refusal.
Result<GroupWish> read_group_options(const std::string& where, const muster_group_options* options);
// A list of world ranks, each once, with this rank among them; NULL: the whole world.
Result<std::vector<uint32_t>> read_ranks(const std::string& where, const muster_runtime& runtime,
                                         const uint32_t* ranks, uint32_t count);

}  // namespace muster

#endif

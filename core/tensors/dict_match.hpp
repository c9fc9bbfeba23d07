// Where received entries go: into the memory of a dictionary that has them, or into memory made for
// them. Local; decides before any data moves.
#ifndef MUSTER_CORE_TENSORS_DICT_MATCH_HPP
#define MUSTER_CORE_TENSORS_DICT_MATCH_HPP

#include "core/base/status.hpp"
#include "core/tensors/dict.hpp"
#include "muster/tensors.h"

namespace muster {

// Gives every tensor of `described` the memory that its data is to be received into: that of the
// entry of `own` if `own` has entries (MISMATCH names the first few that differ), else new memory
// (RESOURCE_EXHAUSTED). `sender` is who described it, "rank 0".
Status place_entries(muster_dict& described, const muster_dict& own,
                     const muster_dict_options& options, const std::string& sender);

// After the data has come: `own` gets the values, and the entries if it had none.
void adopt(muster_dict& described, muster_dict& own);

}  // namespace muster

#endif

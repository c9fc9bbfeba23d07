// Records that programs hand over, whose header may be of another minor than this runtime's.
//
// An older one is shorter: what it lacks is zero, which means "as before". A newer one is longer:
// what it has more must be zero, for this runtime would not do it. As Linux reads the structs of
// its calls (copy_struct_from_user).
#ifndef MUSTER_CORE_CAPI_RECORD_HPP
#define MUSTER_CORE_CAPI_RECORD_HPP

#include <cstdint>
#include <string>

#include "core/base/status.hpp"

namespace muster {

// Copies `given`, whose first field is its struct_size, into the `known` bytes of `out`, which are
// zero. False when there is something in it that `out` has no room for.
bool copy_record(const void* given, void* out, uint32_t known);

// The same with words: `name` ("muster_init: options") begins the refusal, `least` is the smallest
// struct_size that makes sense, `macro` the one to set it to.
Status read_record(const std::string& name, const char* macro, uint32_t least, const void* given,
                   void* out, uint32_t known);

}  // namespace muster

#endif

// The tensors' data of a dictionary, after everybody agreed on where it goes.
//
// Small host tensors travel together, in blocks that are packed and unpacked; every other one by
// itself, on the chain of its own memory kind. Empty ones do not travel. Both sides make the same
// blocks, from entries of the same order. [group-serial]
#ifndef MUSTER_CORE_TENSORS_DICT_DATA_HPP
#define MUSTER_CORE_TENSORS_DICT_DATA_HPP

#include "core/base/status.hpp"
#include "core/dispatch/group.hpp"
#include "core/tensors/dict.hpp"
#include "core/tensors/dict_description.hpp"

namespace muster {

// [collective]
Status broadcast_tensors(muster_group& group, const muster_dict& dict, uint32_t root,
                         const muster_stream& stream);
// A tensor that is not small, and whose elements divide by slice.count, goes as that slice.
Status send_tensors(muster_group& group, const muster_dict& dict, uint32_t peer, const Slice& slice,
                    const muster_stream& stream);
// Slices are put together by all_gather_group, whose rank and size are slice's.
Status recv_tensors(muster_group& group, const muster_dict& dict, uint32_t peer, const Slice& slice,
                    muster_group* all_gather_group, const muster_stream& stream);

}  // namespace muster

#endif

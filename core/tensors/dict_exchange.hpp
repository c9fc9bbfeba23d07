// Dictionaries between ranks: the description first, then one agreement on whether everybody can
// take it, then the data. Nobody waits for a rank that cannot go on. [group-serial]
#ifndef MUSTER_CORE_TENSORS_DICT_EXCHANGE_HPP
#define MUSTER_CORE_TENSORS_DICT_EXCHANGE_HPP

#include "core/base/status.hpp"
#include "core/dispatch/group.hpp"
#include "core/tensors/dict.hpp"
#include "muster/tensors.h"

namespace muster {

// [collective]
Status broadcast_dict(muster_group& group, muster_dict& dict, uint32_t root,
                      const muster_dict_options& options);
// The receiver answers before the data goes.
Status send_dict(muster_group& group, const muster_dict& dict, uint32_t peer,
                 const muster_dict_options& options);
Status recv_dict(muster_group& group, muster_dict& dict, uint32_t peer,
                 const muster_dict_options& options);

}  // namespace muster

#endif

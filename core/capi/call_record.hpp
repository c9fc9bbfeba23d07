// The call records that programs give: copied, whatever header the program was built with, and
// checked.
//
// Inline: muster_execute reads one on the path of a call.
#ifndef MUSTER_CORE_CAPI_CALL_RECORD_HPP
#define MUSTER_CORE_CAPI_CALL_RECORD_HPP

#include "core/base/status.hpp"
#include "core/capi/boundary.hpp"
#include "core/capi/record.hpp"
#include "core/dispatch/group.hpp"
#include "core/dispatch/prepare.hpp"
#include "muster/call.h"

namespace muster {

// Whether there is a record to read at all.
inline bool is_call(const muster_group* group, const muster_call* call) {
  return group != nullptr && call != nullptr &&
         call->struct_size >= MUSTER_STRUCT_SIZE(muster_call, count);
}

// The same, with the words for what is wrong.
inline Status check_call(const char* function, const muster_group* group, const muster_call* call) {
  if (group == nullptr) return null_argument(function, "group");
  if (call == nullptr) return null_argument(function, "call");
  if (is_call(group, call)) return Status();
  return Status(MUSTER_INVALID_ARGUMENT, std::string(function) + ": call.struct_size is not set",
                "make the record with muster_call_init");
}

// False when a field of a later header is set, which this runtime would not do; the copy then keeps
// the program's struct_size, for the refusal.
inline bool copy_call(const muster_call& call, muster_call* out) {
  if (call.struct_size == sizeof(*out)) [[likely]] {
    *out = call;
  } else {
    *out = muster_call{};
    if (!copy_record(&call, out, sizeof(*out))) return false;
    out->struct_size = MUSTER_CALL_SIZE;  // what backends get, whatever the program's header knew
  }
  return true;
}

// Copies a record, and makes it ready to run.
inline Refusal read_usable(const muster_group& group, const muster_call& call, bool in_batch,
                           muster_call* out) {
  if (!copy_call(call, out)) [[unlikely]]
    return Refusal::kLater;
  const Refusal refusal = prepare_any(group, *out);
  if (refusal != Refusal::kNone) [[unlikely]]
    return refusal;
  const bool message = out->op == MUSTER_SEND || out->op == MUSTER_RECV;
  return message && out->peer == group.rank && !in_batch ? Refusal::kSelf : Refusal::kNone;
}

// All of it.
inline Status read_call(const char* function, const muster_group* group, const muster_call* call,
                        bool in_batch, muster_call* out) {
  MUSTER_TRY(check_call(function, group, call));
  const Refusal refusal = read_usable(*group, *call, in_batch, out);
  return refusal == Refusal::kNone ? Status() : Status(refuse_call(*group, *out, refusal));
}

}  // namespace muster

#endif

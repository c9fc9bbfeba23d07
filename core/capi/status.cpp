// muster.h: statuses, the log sink.
#include "core/base/status.hpp"

#include <cstdlib>

#include "core/base/log.hpp"
#include "muster/muster.h"

muster_code muster_status_code(const muster_status* status) {
  return status == nullptr ? muster_code{MUSTER_OK} : status->code;
}
const char* muster_status_cause(const muster_status* status) {
  return status == nullptr ? "" : status->cause.c_str();
}
const char* muster_status_remedy(const muster_status* status) {
  return status == nullptr ? "" : status->remedy.c_str();
}
const char* muster_status_message(const muster_status* status) {
  return status == nullptr ? "" : status->message.c_str();
}
void muster_status_release(muster_status* status) { muster::Status::destroy(status); }

const char* muster_version(void) { return MUSTER_VERSION; }
void muster_set_log_sink(muster_log_sink sink, void* context) {
  muster::set_log_sink(sink, context);
}
void muster_text_release(char* text) { std::free(text); }

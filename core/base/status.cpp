#include "core/base/status.hpp"

#include <new>

#include "muster/names.h"

namespace muster {
namespace {

const std::string kEmpty;

// Stands in when there is no memory for a real one; never freed.
muster_status* out_of_memory() {
  static muster_status status{MUSTER_RESOURCE_EXHAUSTED, "out of memory", "",
                              "RESOURCE_EXHAUSTED: out of memory"};
  return &status;
}

muster_status* make(muster_code code, std::string_view cause, std::string_view remedy) {
  try {
    auto* status = new muster_status{code, std::string(cause), std::string(remedy), {}};
    status->message.append(muster_code_name(code)).append(": ").append(cause);
    if (!remedy.empty()) status->message.append("; ").append(remedy);
    return status;
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
}

}  // namespace

Status::Status(muster_code code, std::string_view cause, std::string_view remedy)
    : status_(make(code, cause, remedy)) {}

Status& Status::operator=(Status&& other) noexcept {
  if (this != &other) {
    destroy(status_);
    status_ = std::exchange(other.status_, nullptr);
  }
  return *this;
}

const std::string& Status::cause() const { return ok() ? kEmpty : status_->cause; }
const std::string& Status::remedy() const { return ok() ? kEmpty : status_->remedy; }
const std::string& Status::message() const { return ok() ? kEmpty : status_->message; }

Status Status::copy() const { return ok() ? Status() : Status(code(), cause(), remedy()); }

Status Status::within(std::string_view prefix) const {
  if (ok()) return Status();
  return Status(code(), std::string(prefix) + ": " + cause(), remedy());
}

void Status::destroy(muster_status* status) {
  if (status != nullptr && status != out_of_memory()) delete status;
}

}  // namespace muster

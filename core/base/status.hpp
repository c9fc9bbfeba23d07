// The internal form of muster_status: what went wrong, and what to do about it.
//
// Status is a move-only owner of a muster_status (ok owns none and allocates nothing); Result<T> is
// a value or a Status. Errors are made once, where they are detected. Equivalent to absl::Status
// and absl::StatusOr.
#ifndef MUSTER_CORE_BASE_STATUS_HPP
#define MUSTER_CORE_BASE_STATUS_HPP

#include <exception>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "muster/status.h"

struct muster_status {
  muster_code code = MUSTER_INTERNAL;
  std::string cause;
  std::string remedy;
  std::string message;  // "PEER_LOST: cause; remedy"
};

namespace muster {

class [[nodiscard]] Status {
 public:
  Status() = default;
  // Takes ownership; NULL is ok.
  explicit Status(muster_status* owned) : status_(owned) {}
  Status(muster_code code, std::string_view cause, std::string_view remedy = {});
  Status(Status&& other) noexcept : status_(std::exchange(other.status_, nullptr)) {}
  Status& operator=(Status&& other) noexcept;
  Status(const Status&) = delete;
  Status& operator=(const Status&) = delete;
  ~Status() {
    if (status_ != nullptr) destroy(status_);
  }

  bool ok() const { return status_ == nullptr; }
  muster_code code() const { return ok() ? muster_code{MUSTER_OK} : status_->code; }
  const std::string& cause() const;
  const std::string& remedy() const;
  const std::string& message() const;

  // Gives the ownership away; ok gives NULL.
  muster_status* release() { return std::exchange(status_, nullptr); }
  Status copy() const;
  // The same failure with "prefix: " in front of the cause.
  Status within(std::string_view prefix) const;

  static void destroy(muster_status* status);

 private:
  muster_status* status_ = nullptr;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Status status) : status_(std::move(status)) {}  // must not be ok

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  Status take_status() { return std::move(status_); }
  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return std::move(*value_); }
  T& operator*() { return *value_; }
  const T& operator*() const { return *value_; }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

// Runs a body that returns a Status where no exception may leave; exceptions become statuses.
template <typename Body>
muster_status* at_boundary(Body&& body) noexcept {
  try {
    return body().release();
  } catch (const std::bad_alloc&) {
    return Status(MUSTER_RESOURCE_EXHAUSTED, "out of memory").release();
  } catch (const std::exception& error) {
    return Status(MUSTER_INTERNAL, error.what(), "report this as a defect of muster").release();
  }
}

}  // namespace muster

// Returns the failure of an expression that gives a Status from the enclosing function.
#define MUSTER_TRY(expression)                             \
  do {                                                     \
    ::muster::Status muster_try_status = (expression);     \
    if (!muster_try_status.ok()) return muster_try_status; \
  } while (false)

#endif

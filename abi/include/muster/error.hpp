// C++17, header-only: failed functions of muster.h as exceptions.
#ifndef MUSTER_ERROR_HPP
#define MUSTER_ERROR_HPP

#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "muster/muster.h"

namespace muster::api {

// A failed function of muster.h.
class Error : public std::exception {
 public:
  Error(muster_code code, std::string cause, std::string remedy = {})
      : code_(code), cause_(std::move(cause)), remedy_(std::move(remedy)) {
    message_ = std::string(muster_code_name(code_)) + ": " + cause_;
    if (!remedy_.empty()) message_ += "; " + remedy_;
  }
  muster_code code() const noexcept { return code_; }
  const std::string& cause() const noexcept { return cause_; }
  const std::string& remedy() const noexcept { return remedy_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  muster_code code_;
  std::string cause_;
  std::string remedy_;
  std::string message_;
};

// Throws what a function of muster.h returned, if it failed; releases the status.
inline void check(muster_status* status) {
  if (status == nullptr) return;
  struct Release {
    void operator()(muster_status* owned) const { muster_status_release(owned); }
  };
  const std::unique_ptr<muster_status, Release> owner(status);
  throw Error(muster_status_code(status), muster_status_cause(status),
              muster_status_remedy(status));
}

}  // namespace muster::api

#endif

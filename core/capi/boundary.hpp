// The C boundary: nothing but statuses leaves a function.
#ifndef MUSTER_CORE_CAPI_BOUNDARY_HPP
#define MUSTER_CORE_CAPI_BOUNDARY_HPP

#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>

#include "core/base/status.hpp"

namespace muster {

// Runs a body that returns a Status; exceptions become statuses.
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

inline Status null_argument(const char* function, const char* argument) {
  return Status(MUSTER_INVALID_ARGUMENT, std::string(function) + ": " + argument + " is NULL",
                std::string("give a valid ") + argument);
}

// A copy that muster_text_release frees.
inline char* copy_text(const std::string& text) {
  char* const out = static_cast<char*>(std::malloc(text.size() + 1));
  if (out == nullptr) throw std::bad_alloc();
  std::memcpy(out, text.c_str(), text.size() + 1);
  return out;
}

}  // namespace muster

#endif

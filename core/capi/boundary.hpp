// The C boundary: nothing but statuses leaves a function.
#ifndef MUSTER_CORE_CAPI_BOUNDARY_HPP
#define MUSTER_CORE_CAPI_BOUNDARY_HPP

#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "core/base/status.hpp"

namespace muster {

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

#include "core/kernels/processor.hpp"

#include "core/base/digest.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#else
#include <sys/auxv.h>
#endif

namespace muster {
namespace {

std::string description() {
  std::string text;
  const auto add = [&](unsigned value) {
    text.append(reinterpret_cast<const char*>(&value), sizeof(value));
  };
#if defined(__x86_64__)
  // Vendor, model, features. The numbers of the core and of what the system has switched on for
  // this very thread are left out.
  constexpr unsigned kApicAndCounts = 0xffff0000u;
  constexpr unsigned kSystemState = 1u << 27;  // OSXSAVE
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(0, &a, &b, &c, &d) != 0) {
    add(b), add(c), add(d);
  }
  if (__get_cpuid(1, &a, &b, &c, &d) != 0) {
    add(a), add(b & ~kApicAndCounts), add(c & ~kSystemState), add(d);
  }
  for (const unsigned leaf : {0u, 1u}) {
    if (__get_cpuid_count(7, leaf, &a, &b, &c, &d) != 0) {
      add(a), add(b), add(c), add(d);
    }
  }
  if (__get_cpuid(0x80000001u, &a, &b, &c, &d) != 0) {
    add(a), add(c), add(d);
  }
#else
  add(static_cast<unsigned>(getauxval(AT_HWCAP)));
  add(static_cast<unsigned>(getauxval(AT_HWCAP2)));
#endif
  return text;
}

}  // namespace

std::string processor_fingerprint() { return digest_of(description()).text().substr(0, 16); }

}  // namespace muster

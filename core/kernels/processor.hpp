// What this processor is, as far as code that was built for it cares.
#ifndef MUSTER_CORE_KERNELS_PROCESSOR_HPP
#define MUSTER_CORE_KERNELS_PROCESSOR_HPP

#include <string>

namespace muster {

// 16 hexadecimal digits, equal on processors of one model with the same features. Costs a few
// microseconds. Any thread.
std::string processor_fingerprint();

}  // namespace muster

#endif

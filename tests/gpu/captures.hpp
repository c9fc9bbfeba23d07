// Captures of which one rank thinks better: the others hear of it, and the group goes on.
#ifndef MUSTER_TESTS_GPU_CAPTURES_HPP
#define MUSTER_TESTS_GPU_CAPTURES_HPP

#include <string>

#include "muster/muster.hpp"
#include "tests/gpu/device.hpp"
#include "tests/gpu/scenario.hpp"

namespace muster::gpu {

// backend: which must serve. [collective]
void expect_captures(api::Group& group, Device& device, const std::string& backend, Tally& tally);

}  // namespace muster::gpu

#endif

// Builds of missing kernels beside a program ([kernels] build = "background"): what plugins declare
// for the devices here, then the host kernels for the very machine.
//
// The helper, muster-probe, is started with the settings and one end of a pipe, leaves its parent
// at once, and looks at the pipe while it builds. What failed before is left alone.
#ifndef MUSTER_CORE_QUERY_BACKGROUND_BUILD_HPP
#define MUSTER_CORE_QUERY_BACKGROUND_BUILD_HPP

#include <string>
#include <vector>

#include "config/config.hpp"

namespace muster {

// Starts it and returns at once; "" or why not. It ends when it is done, or soon after the returned
// descriptor's other end, `out_fd`, is closed. variant_plugins: files with muster.variants/1,
// judged by the caller. Any thread.
std::string start_background_build(const Config& config,
                                   const std::vector<std::string>& variant_plugins, int* out_fd);
// The helper's part of it; arguments as start_background_build gave them.
int background_build_main(int argc, char** argv);
inline constexpr const char* kBackgroundBuild = "--build-kernels";

}  // namespace muster

#endif

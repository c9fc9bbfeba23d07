// Where the file that this code is in lies (libmuster.so, the command, a test program), and what
// muster installs beside it: the plugins and muster-probe. Nothing is taken from the environment.
//
// Any thread.
#ifndef MUSTER_CORE_DISCOVER_OWN_PLACE_HPP
#define MUSTER_CORE_DISCOVER_OWN_PLACE_HPP

#include <string>
#include <vector>

namespace muster {

// The canonical path of the object that contains this code, and its directory; "" when it cannot be
// told.
std::string own_file();
std::string own_directory();

// The installed plugin directory for code in `directory`: the first that exists of
// <directory>/muster/plugins (a library), <directory>/<bin to libdir>/muster/plugins (an installed
// program) and <directory>/../lib/muster/plugins (a build tree); the installed one when none does.
std::string installed_plugin_directory(const std::string& directory);

// Where muster-probe may lie, in order.
std::vector<std::string> probe_program_places(const std::string& directory);

// Where the sources of the host kernels may lie, in order.
std::vector<std::string> kernel_source_places(const std::string& directory);

}  // namespace muster

#endif

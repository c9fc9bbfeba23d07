# Debian packages, one per component, by the target deb (packaging/deb does all of it):
#   libmuster<soversion>   the library, muster-probe, the sources of the host kernels
#   muster-tools           the command and its data
#   muster-dev             headers, CMake package, pkg-config file, the generator of plugins
#   muster-plugin-<id>     one per plugin: installing it makes it serve, removing it makes the next one serve
#
# Included last: the plugins are known then.
find_program(MUSTER_GZIP gzip)
mark_as_advanced(MUSTER_GZIP)
if(NOT MUSTER_GZIP)
  message(STATUS "Debian packages: left out, there is no gzip")
  return()
endif()
set(MUSTER_PACKAGE_CONTACT "The authors of muster <packages@muster.invalid>" CACHE STRING
  "Who answers for the Debian packages: Name <address>")
set(MUSTER_DEB_REVISION 1 CACHE STRING "Revision of the Debian packages, after the version")
set(MUSTER_DEB_VERSION ${PROJECT_VERSION}-${MUSTER_DEB_REVISION})
set(deb_dir ${CMAKE_CURRENT_BINARY_DIR}/debian)
set(library libmuster${PROJECT_VERSION_MAJOR})

# muster_compress(<from> <to>): as policy asks, smallest and without a time stamp.
function(muster_compress from to)
  execute_process(COMMAND ${MUSTER_GZIP} -9nc INPUT_FILE ${from} OUTPUT_FILE ${to} COMMAND_ERROR_IS_FATAL ANY)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${from})
endfunction()
configure_file(debian/changelog.in ${deb_dir}/changelog @ONLY)
muster_compress(${deb_dir}/changelog ${deb_dir}/changelog.Debian.gz)
muster_compress(${CMAKE_CURRENT_SOURCE_DIR}/debian/muster.1 ${deb_dir}/muster.1.gz)
install(FILES ${deb_dir}/muster.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT tools)

# muster_package(<component> <package> SECTION <section> SUMMARY <line> TEXT <paragraph> [DEPENDS|RECOMMENDS|SUGGESTS <list>])
# A macro: CPack's variables are those of this directory.
macro(muster_package component package)
  cmake_parse_arguments(ARG "" "SECTION;SUMMARY;TEXT;DEPENDS;RECOMMENDS;SUGGESTS" "" ${ARGN})
  string(TOUPPER ${component} upper)
  list(APPEND CPACK_COMPONENTS_ALL ${component})
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${package})
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${ARG_SECTION})
  # Wrapped to the width of a terminal.
  string(REGEX REPLACE "(.............................................................[^ ]*) " "\\1\n" text "${ARG_TEXT}")
  set(CPACK_DEBIAN_${upper}_DESCRIPTION "${ARG_SUMMARY}\n${text}")
  set(CPACK_DEBIAN_${upper}_PACKAGE_DEPENDS "${ARG_DEPENDS}")
  set(CPACK_DEBIAN_${upper}_PACKAGE_RECOMMENDS "${ARG_RECOMMENDS}")
  set(CPACK_DEBIAN_${upper}_PACKAGE_SUGGESTS "${ARG_SUGGESTS}")
  # Only in packages: an installation by hand has no use for them.
  install(FILES debian/copyright ${deb_dir}/changelog.Debian.gz DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package}
    COMPONENT ${component} EXCLUDE_FROM_ALL)
endmacro()

set(muster_text "muster serves collective calls (all_reduce, all_gather, ...) by whichever backend plugin is best for each, the same one on every rank.")
set(CPACK_COMPONENTS_ALL)
muster_package(lib ${library} SECTION libs
  SUMMARY "plugin runtime for collective communication"
  TEXT "${muster_text} This package has the library that programs link. At least one package muster-plugin-* is needed to serve calls of several ranks."
  RECOMMENDS "muster-plugin-shm" SUGGESTS "g++")
# What other packages that link the library depend on, and the word to ldconfig. CPack's own way is a script that calls
# ldconfig; it writes none where one is named, and a file that does not exist is left out.
file(CONFIGURE OUTPUT ${deb_dir}/shlibs CONTENT "libmuster ${PROJECT_VERSION_MAJOR} ${library} (>= ${PROJECT_VERSION})\n")
file(CONFIGURE OUTPUT ${deb_dir}/triggers CONTENT "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_LIB_PACKAGE_CONTROL_EXTRA
  ${deb_dir}/shlibs ${deb_dir}/triggers ${deb_dir}/none/postinst ${deb_dir}/none/postrm)
muster_package(tools muster-tools SECTION utils
  SUMMARY "command of the plugin runtime muster"
  TEXT "${muster_text} The command lists plugins, explains which one serves a call, measures, and starts programs as ranks."
  DEPENDS "${library} (= ${MUSTER_DEB_VERSION})" RECOMMENDS "muster-plugin-shm")
muster_package(dev muster-dev SECTION libdevel
  SUMMARY "development files of the plugin runtime muster"
  TEXT "${muster_text} Headers for programs and plugins, the CMake package, the pkg-config file, the author kit, and new-plugin, which writes the project of a plugin."
  DEPENDS "${library} (= ${MUSTER_DEB_VERSION})" RECOMMENDS "cmake, muster-tools" SUGGESTS "libgmock-dev, ninja-build")

# What a plugin opens at run time, which its file does not name.
set(opens_mpi_DEPENDS "libopenmpi3 | libopenmpi40")
set(opens_mpi_RECOMMENDS "openmpi-bin")
foreach(id cuda cuda_peer nccl)
  set(opens_${id}_SUGGESTS "libcuda1")
endforeach()
set(opens_nccl_RECOMMENDS "muster-plugin-cuda")
set(opens_cuda_peer_RECOMMENDS "muster-plugin-cuda")
get_property(plugin_ids GLOBAL PROPERTY MUSTER_PLUGIN_IDS)
foreach(id ${plugin_ids})
  string(REPLACE _ - package muster-plugin-${id})
  set(depends "${library} (>= ${PROJECT_VERSION})")
  if(opens_${id}_DEPENDS)
    string(APPEND depends ", ${opens_${id}_DEPENDS}")
  endif()
  muster_package(plugin_${id} ${package} SECTION libs
    SUMMARY "plugin ${id} of the runtime muster"
    TEXT "${muster_text} With this package installed the plugin ${id} takes part; without it the next one in line serves."
    DEPENDS "${depends}" RECOMMENDS "${opens_${id}_RECOMMENDS}" SUGGESTS "${opens_${id}_SUGGESTS}")
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME muster)
set(CPACK_PACKAGE_CONTACT "${MUSTER_PACKAGE_CONTACT}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # each package has its own
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE ${MUSTER_DEB_REVISION})
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
# Of programs that link libmuster: their packages say by hand that they depend on its package.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_LIBRARY_OUTPUT_DIRECTORY})
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_VERBATIM_VARIABLES ON)
include(CPack)

# Into debs/, from what it builds itself: what is installed, and no test.
set(packaged muster_core muster_probe muster_command)
foreach(target muster_testing muster_check muster_fault_fault)  # of the author kit, which is built with the tests
  if(TARGET ${target})
    list(APPEND packaged ${target})
  endif()
endforeach()
list(TRANSFORM plugin_ids PREPEND muster_plugin_ OUTPUT_VARIABLE plugin_targets)
add_custom_target(deb
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${PROJECT_BINARY_DIR}/debs
  COMMAND ${CMAKE_CPACK_COMMAND} -G DEB -B ${PROJECT_BINARY_DIR}/debs
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${PROJECT_BINARY_DIR}/debs/_CPack_Packages
  DEPENDS ${packaged} ${plugin_targets} WORKING_DIRECTORY ${PROJECT_BINARY_DIR} VERBATIM USES_TERMINAL)

# muster_add_plugin(<id> SOURCES ... [LIBRARIES ...])
#
# Builds <id>.so as a muster plugin: hidden visibility, the one exported symbol by a version script, no undefined
# symbols, everything bound at load. Links only muster::abi and what LIBRARIES names. Inside the muster tree the file goes where
# the built runtime looks for plugins; outside, to the current binary directory.
set(MUSTER_PLUGIN_VERSION_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/plugin.version)

function(muster_add_plugin id)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;LIBRARIES")
  if(NOT ARG_SOURCES)
    message(FATAL_ERROR "muster_add_plugin(${id}): SOURCES is empty")
  endif()
  set(target muster_plugin_${id})
  add_library(${target} MODULE ${ARG_SOURCES})
  target_link_libraries(${target} PRIVATE muster::abi ${ARG_LIBRARIES})
  set_target_properties(${target} PROPERTIES
    PREFIX "" OUTPUT_NAME ${id} SUFFIX ".so"
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    POSITION_INDEPENDENT_CODE ON
    LINK_DEPENDS ${MUSTER_PLUGIN_VERSION_SCRIPT})
  target_link_options(${target} PRIVATE
    -Wl,--version-script=${MUSTER_PLUGIN_VERSION_SCRIPT} -Wl,-z,now)
  if(NOT MUSTER_SANITIZE)  # a sanitizer's runtime is resolved from the program
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
  if(DEFINED MUSTER_PLUGIN_OUTPUT_DIRECTORY)
    set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${MUSTER_PLUGIN_OUTPUT_DIRECTORY})
  endif()
endfunction()

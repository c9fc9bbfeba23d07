# muster_add_plugin(<id> SOURCES <file>... [LIBRARIES <target>...])
#
# Builds <id>.so as a muster plugin, target muster_plugin_<id>: hidden visibility, the one exported symbol by a version
# script, no undefined symbols, everything bound at load. Links muster::abi and what LIBRARIES names, never libmuster.
#
# The same function inside the muster tree and in the installed package. Inside, the file also goes where the built runtime
# looks for plugins, is compiled with the tree's warnings, and is installed as component plugin_<id>. Outside, installing is
# the author's: install(TARGETS muster_plugin_<id> LIBRARY DESTINATION ${MUSTER_PLUGIN_DIR}).

function(muster_add_plugin id)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;LIBRARIES")
  if(NOT id MATCHES "^[a-z0-9_]+$")
    message(FATAL_ERROR "muster_add_plugin(${id}): an id has lower case letters, digits and _ only")
  endif()
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "muster_add_plugin(${id}): '${ARG_UNPARSED_ARGUMENTS}' belongs to neither SOURCES nor LIBRARIES")
  endif()
  if(NOT ARG_SOURCES)
    message(FATAL_ERROR "muster_add_plugin(${id}): SOURCES is empty")
  endif()
  set(target muster_plugin_${id})
  set(version_script ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/plugin.version)
  add_library(${target} MODULE ${ARG_SOURCES})
  target_link_libraries(${target} PRIVATE muster::abi ${ARG_LIBRARIES})
  set_target_properties(${target} PROPERTIES
    PREFIX "" OUTPUT_NAME ${id} SUFFIX ".so"
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    POSITION_INDEPENDENT_CODE ON
    LINK_DEPENDS ${version_script})
  target_link_options(${target} PRIVATE -Wl,--version-script=${version_script} -Wl,-z,now)
  # A sanitizer's runtime is resolved from the program.
  get_property(directory_options DIRECTORY PROPERTY COMPILE_OPTIONS)
  if(NOT "${directory_options} ${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS}" MATCHES "-fsanitize=")
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
  if(TARGET muster_flags)  # inside the muster tree
    target_link_libraries(${target} PRIVATE muster_flags)
    set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${MUSTER_PLUGIN_OUTPUT_DIRECTORY})
    install(TARGETS ${target} LIBRARY DESTINATION ${MUSTER_PLUGIN_INSTALL_DIR} COMPONENT plugin_${id})
    set_property(GLOBAL APPEND PROPERTY MUSTER_PLUGIN_IDS ${id})
  endif()
endfunction()

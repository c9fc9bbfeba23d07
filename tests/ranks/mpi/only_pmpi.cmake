# cmake -DNM=... -DPLUGIN=... -P only_pmpi.cmake: fails when the plugin is linked to a function of MPI, or has no PMPI_ name to look up.
execute_process(COMMAND ${NM} -D --undefined-only ${PLUGIN} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
if(symbols MATCHES " (P?MPI_[A-Za-z_]+|ompi_[a-z_]+)")
  message(FATAL_ERROR "the plugin is linked to ${CMAKE_MATCH_1}")
endif()
file(STRINGS ${PLUGIN} names REGEX "MPI_Init_thread")
if(NOT names MATCHES "PMPI_Init_thread")
  message(FATAL_ERROR "no PMPI_Init_thread in ${PLUGIN}: this test reads the wrong thing")
endif()

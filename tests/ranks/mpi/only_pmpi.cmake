# cmake -DNM=... -DPLUGIN=... -P only_pmpi.cmake: fails when the plugin calls a function named MPI_*.
execute_process(COMMAND ${NM} -D --undefined-only ${PLUGIN} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
if(NOT symbols MATCHES " PMPI_Init_thread")
  message(FATAL_ERROR "no PMPI_Init_thread in ${PLUGIN}: this test reads the wrong thing")
endif()
if(symbols MATCHES " (MPI_[A-Za-z_]+)")
  message(FATAL_ERROR "the plugin calls ${CMAKE_MATCH_1}")
endif()

// Open MPI's library, opened only where MPI is of use: loading it and the twenty libraries that it
// needs takes longer than the rest of a runtime's start. In place of <mpi.h>, and of its PMPI_
// functions: library.Test is library.Test.
//
// Opened once per process and never closed, as MPI itself is process-wide. Thread rule: any thread.
#ifndef MUSTER_PLUGINS_BACKENDS_MPI_LIBRARY_HPP
#define MUSTER_PLUGINS_BACKENDS_MPI_LIBRARY_HPP

#include <mpi.h>

#include <string>

namespace muster::mpi {

struct Library {
  static constexpr const char* kName = "libmpi.so.40";

#define MUSTER_MPI_FUNCTION(name) decltype(&PMPI_##name) name;
#define MUSTER_MPI_OBJECT(name) void* name;
#include "plugins/backends/mpi/library.def"
#undef MUSTER_MPI_FUNCTION
#undef MUSTER_MPI_OBJECT
};

// Filled by the first open_library that succeeds; not to be used before.
extern Library library;

// Whether the library is there to be used: it is opened if the process has it already, or was
// started by Open MPI's launcher.
bool open_library();
// Why the last open_library said no: the library, or the symbol that it lacks; "" when nothing in
// this process asks for MPI.
std::string why_not_open();

}  // namespace muster::mpi

// The handles of mpi.h (MPI_COMM_WORLD, MPI_FLOAT) are addresses of objects of the library.
#undef OMPI_PREDEFINED_GLOBAL
#define OMPI_PREDEFINED_GLOBAL(type, global) (static_cast<type>(::muster::mpi::library.global))

#endif

// MPI's life in this process: who initialised it, at which thread level, and who ends it.
//
// MPI is process-wide and can be initialised once, so this state is too; it is nobody's rank state.
// Thread rule: any thread. What the program initialised is never finalised here. What the plugin
// initialised lives until the process exits, so that a second runtime of the same process finds it.
#ifndef MUSTER_PLUGINS_BACKENDS_MPI_PROCESS_HPP
#define MUSTER_PLUGINS_BACKENDS_MPI_PROCESS_HPP

#include <mutex>
#include <string>

#include "plugins/backends/mpi/library.hpp"

namespace muster::mpi {

enum class Phase { kBefore, kLive, kFinalized };
Phase phase();
inline bool live() { return phase() == Phase::kLive; }

// Where this process stands in MPI_COMM_WORLD, known before MPI is initialised when mpirun started
// it. rank is -1 when it stands nowhere.
struct Seat {
  std::string job;  // equal on all ranks of one MPI_COMM_WORLD, and nowhere else
  int rank = -1;
  int size = 0;
};
Seat seat();
// Started by Open MPI's launcher.
bool launched();
// Throws, and says what is missing, where MPI's library is not to be had.
void require_library();

// Initialises MPI (MPI_THREAD_MULTIPLE) unless somebody did. Collective over the job; MPI gives no
// way to bound it. Throws when MPI was finalised or refuses.
void initialise();

// "Open MPI v4.1.4"; works before MPI is initialised. "" where nothing asks for MPI.
std::string library_version();
// "multiple", "serialized", ...; "" unless live.
std::string thread_level();

// Held around every MPI call. Below MPI_THREAD_MULTIPLE it is one lock for the whole process, and
// nothing that waits for another rank may run under it; at MPI_THREAD_MULTIPLE it costs one load.
class Serial {
 public:
  Serial();

 private:
  std::unique_lock<std::mutex> lock_;
};

// Held around the making of a communicator (a blocking call) and the meeting of its ranks before
// it. Below MPI_THREAD_MULTIPLE, two threads that made communicators in another order than the
// threads of a peer would wait for each other inside MPI for ever; like this the meeting fails at
// its deadline.
class Making {
 public:
  Making();

 private:
  std::unique_lock<std::mutex> lock_;
};

// While it lives, errors on a communicator that is not the plugin's own are returned, not fatal.
class ErrorsReturned {
 public:
  explicit ErrorsReturned(MPI_Comm comm);
  ~ErrorsReturned();
  ErrorsReturned(const ErrorsReturned&) = delete;
  ErrorsReturned& operator=(const ErrorsReturned&) = delete;

 private:
  MPI_Comm comm_;
  MPI_Errhandler before_;
};

// Throws what an MPI call returned, if it failed. A truncated message is a mismatch of the ranks.
void check(int code, const char* what);

// A 64-bit tag as an MPI tag.
int fold_tag(uint64_t tag);

}  // namespace muster::mpi

#endif

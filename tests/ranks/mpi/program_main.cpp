// A program that uses MPI itself, at the thread level that --init names.
#include <mpi.h>

#include <cstdlib>

#include "tests/ranks/mpi/session.hpp"

namespace {

void begin(const std::string& level) {
  int wanted = MPI_THREAD_SINGLE;
  if (level == "funneled") wanted = MPI_THREAD_FUNNELED;
  if (level == "serialized") wanted = MPI_THREAD_SERIALIZED;
  if (level == "multiple") wanted = MPI_THREAD_MULTIPLE;
  int provided = 0;
  MPI_Init_thread(nullptr, nullptr, wanted, &provided);
  if (provided != wanted) std::abort();
}

void end() {
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (finalized == 0) MPI_Finalize();
}

}  // namespace

int main(int argc, char** argv) { return muster::testing::run_session(argc, argv, begin, end); }

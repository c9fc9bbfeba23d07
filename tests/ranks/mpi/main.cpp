// A program that does not link MPI: the plugin brings it, with local symbols.
#include "tests/ranks/mpi/session.hpp"

int main(int argc, char** argv) {
  return muster::testing::run_session(argc, argv, nullptr, nullptr);
}

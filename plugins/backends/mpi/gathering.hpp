// One exchange of bytes of any length among some ranks of a communicator: every member sends to
// every other and takes what it finds probing, so nobody has to know a length before. Progressed by
// its owner, never blocks. Set-up only: as many messages as pairs of members.
#ifndef MUSTER_PLUGINS_BACKENDS_MPI_GATHERING_HPP
#define MUSTER_PLUGINS_BACKENDS_MPI_GATHERING_HPP

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "plugins/backends/mpi/library.hpp"

namespace muster::mpi {

class Gathering {
 public:
  // tag tells exchanges apart that run at the same time.
  Gathering(MPI_Comm comm, uint32_t rank, std::vector<uint32_t> members, uint64_t tag);
  void start(const void* data, uint64_t bytes);
  // True once all is sent and received.
  bool progress();
  // The members that have not answered, for people.
  std::string missing() const;
  std::vector<unsigned char> part(uint32_t index) const;
  // MPI may still read and write the buffers: keeps them until the process ends.
  void abandon();

 private:
  struct Incoming {
    std::vector<unsigned char> frame;  // the tag, then the bytes
    MPI_Request request = MPI_REQUEST_NULL;
    bool done = false;
  };
  struct Buffers {
    std::vector<unsigned char> frame;
    std::vector<MPI_Request> sends;
    std::vector<Incoming> incoming;
  };
  void receive(uint32_t index);

  MPI_Comm comm_;
  uint32_t rank_;
  std::vector<uint32_t> members_;
  uint64_t tag_;
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace muster::mpi

#endif

// MPI as a peer of `muster bench`: compiled once against each MPI library that is found.
#include <mpi.h>

#include <cctype>
#include <climits>
#include <stdexcept>
#include <string>

#include "tests/bench/peers/peer.hpp"

namespace muster::peers {
namespace {

MPI_Datatype type_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::kF64:
      return MPI_DOUBLE;
    case Dtype::kI8:
      return MPI_INT8_T;
    case Dtype::kU8:
      return MPI_UINT8_T;
    case Dtype::kI32:
      return MPI_INT32_T;
    case Dtype::kU32:
      return MPI_UINT32_T;
    case Dtype::kI64:
      return MPI_INT64_T;
    case Dtype::kU64:
      return MPI_UINT64_T;
    default:
      return MPI_FLOAT;
  }
}

MPI_Op op_of(Redop redop) {
  switch (redop) {
    case Redop::kProd:
      return MPI_PROD;
    case Redop::kMin:
      return MPI_MIN;
    case Redop::kMax:
      return MPI_MAX;
    default:
      return MPI_SUM;
  }
}

void must(int code) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw std::runtime_error(text);
}

class Mpi : public Library {
 public:
  Mpi(int* argc, char*** argv) {
    MPI_Init(argc, argv);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
  }
  ~Mpi() override { MPI_Finalize(); }

  // "Open MPI v4.1.4, package: ..." and "MPICH Version: 4.0.2 ..." alike.
  std::string name() const override {
    char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int length = 0;
    MPI_Get_library_version(text, &length);
    const std::string all = text;
    const std::string library =
        all.starts_with("Open MPI") ? "Open MPI" : all.substr(0, all.find(' '));
    size_t at = library.size();
    while (at < all.size() && std::isdigit(static_cast<unsigned char>(all[at])) == 0) ++at;
    return library + " " + all.substr(at, all.find_first_not_of("0123456789.", at) - at);
  }
  uint32_t rank() const override { return static_cast<uint32_t>(rank_); }
  uint32_t size() const override { return static_cast<uint32_t>(size_); }
  void share(void* data, size_t bytes) override {
    must(MPI_Bcast(data, static_cast<int>(bytes), MPI_BYTE, 0, MPI_COMM_WORLD));
  }
  bool all(bool mine) override {
    int every = mine ? 1 : 0;
    must(MPI_Allreduce(MPI_IN_PLACE, &every, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD));
    return every == 1;
  }
  std::function<void()> prepare(const PeerCall& call) override;

 private:
  int rank_ = 0;
  int size_ = 1;
};

std::function<void()> Mpi::prepare(const PeerCall& call) {
  const MPI_Comm comm = MPI_COMM_WORLD;
  const MPI_Datatype type = type_of(call.dtype);
  const MPI_Op op = op_of(call.redop);
  if (call.count > INT_MAX) throw std::runtime_error("more elements than MPI counts");
  const int n = static_cast<int>(call.count);
  void* const recv = call.recv;
  const bool root = rank_ == 0;
  const void* const send = call.in_place ? MPI_IN_PLACE : call.send;
  if (call.op == "all_reduce") {
    return [=] { must(MPI_Allreduce(send, recv, n, type, op, comm)); };
  }
  if (call.op == "reduce") {
    const void* const from = call.in_place && !root ? call.send : send;
    return [=] { must(MPI_Reduce(from, recv, n, type, op, 0, comm)); };
  }
  if (call.op == "broadcast") return [=] { must(MPI_Bcast(recv, n, type, 0, comm)); };
  if (call.op == "all_gather") {
    return [=] { must(MPI_Allgather(send, n, type, recv, n, type, comm)); };
  }
  if (call.op == "reduce_scatter") {
    return [=] { must(MPI_Reduce_scatter_block(send, recv, n, type, op, comm)); };
  }
  if (call.op == "all_to_all") {
    return [=] { must(MPI_Alltoall(send, n, type, recv, n, type, comm)); };
  }
  if (call.op == "gather") {
    const void* const from = root ? send : call.send;
    return [=] { must(MPI_Gather(from, n, type, recv, n, type, 0, comm)); };
  }
  if (call.op == "scatter") {
    void* const to = root && call.in_place ? MPI_IN_PLACE : recv;
    return [=, from = call.send] { must(MPI_Scatter(from, n, type, to, n, type, 0, comm)); };
  }
  if (call.op == "send_recv" && !call.in_place) {
    const int to = (rank_ + 1) % size_;
    const int from = (rank_ + size_ - 1) % size_;
    return [=, data = call.send] {
      must(MPI_Sendrecv(data, n, type, to, 0, recv, n, type, from, 0, comm, MPI_STATUS_IGNORE));
    };
  }
  if (call.op == "barrier") return [=] { must(MPI_Barrier(comm)); };
  return {};
}

}  // namespace
}  // namespace muster::peers

int main(int argc, char** argv) {
  muster::peers::Mpi mpi(&argc, &argv);
  return muster::peers::run_peer(argc, argv, mpi);
}

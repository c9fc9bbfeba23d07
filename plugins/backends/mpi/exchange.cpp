// Point-to-point messages of one call: posted together, waited for together.
#include <algorithm>

#include "plugins/backends/mpi/communicator.hpp"

namespace muster::mpi {

std::unique_ptr<Communicator::Messages> Communicator::post(const std::vector<Transfer>& transfers,
                                                           Tag tag, const char* what) {
  std::unique_ptr<Messages> messages(new Messages(*this, what));
  // Receives first: a message that finds its receive posted is not copied aside.
  for (const Transfer& transfer : transfers) {
    if (transfer.direction == Transfer::kReceive) messages->post(transfer, tag);
  }
  for (const Transfer& transfer : transfers) {
    if (transfer.direction == Transfer::kSend) messages->post(transfer, tag);
  }
  return messages;
}

void Communicator::Messages::post(const Transfer& transfer, Tag tag) {
  const auto peer = static_cast<int>(transfer.peer);
  uint64_t done = 0;
  do {  // a message of no bytes is sent too: the receiver waits for it
    const auto bytes = static_cast<int>(std::min(comm_.limit_, transfer.bytes - done));
    auto* data = static_cast<unsigned char*>(transfer.data) + done;
    MPI_Request request = MPI_REQUEST_NULL;
    {
      Serial serial;
      if (transfer.direction == Transfer::kReceive) {
        check(library.Irecv(data, bytes, MPI_BYTE, peer, tag, comm_.get(), &request), what_);
      } else {
        check(library.Isend(data, bytes, MPI_BYTE, peer, tag, comm_.get(), &request), what_);
      }
    }
    requests_.push_back(request);
    peers_.push_back(transfer.peer);
    expected_.push_back(transfer.direction == Transfer::kReceive ? bytes : -1);
    done += static_cast<uint64_t>(bytes);
  } while (done < transfer.bytes);
}

void Communicator::Messages::finish() {
  std::vector<MPI_Status> statuses(requests_.size());
  comm_.wait_(requests_.data(), peers_.data(), requests_.size(), statuses.data(), what_);
  finished_ = true;
  for (size_t i = 0; i < requests_.size(); ++i) {
    int bytes = 0;
    if (expected_[i] < 0) continue;
    library.Get_count(&statuses[i], MPI_BYTE, &bytes);
    if (bytes == expected_[i]) continue;
    comm_.broken_ = true;
    plugin::fail(MUSTER_MISMATCH,
                 std::string(what_) + ": rank " + std::to_string(peers_[i]) + " sent " +
                     std::to_string(bytes) + " bytes where " + std::to_string(expected_[i]) +
                     " were expected",
                 "give the same count on both sides");
  }
}

Communicator::Messages::~Messages() {
  if (finished_ || requests_.empty()) return;
  comm_.broken_ = true;
  if (!live()) return;
  // Receives that nobody has answered yet can be taken back, and their buffers with them.
  for (size_t i = 0; i < requests_.size(); ++i) {
    if (requests_[i] == MPI_REQUEST_NULL || expected_[i] < 0) continue;
    int done = 0;
    Serial serial;
    library.Cancel(&requests_[i]);
    library.Test(&requests_[i], &done, MPI_STATUS_IGNORE);
  }
}

}  // namespace muster::mpi

#include "plugins/backends/mpi/gathering.hpp"

#include <climits>
#include <cstring>
#include <mutex>

#include "muster/plugin.hpp"
#include "plugins/backends/mpi/process.hpp"

namespace muster::mpi {
namespace {

constexpr size_t kHeader = sizeof(uint64_t);

}  // namespace

Gathering::Gathering(MPI_Comm comm, uint32_t rank, std::vector<uint32_t> members, uint64_t tag)
    : comm_(comm),
      rank_(rank),
      members_(std::move(members)),
      tag_(tag),
      buffers_(std::make_unique<Buffers>()) {
  buffers_->incoming.resize(members_.size());
}

void Gathering::start(const void* data, uint64_t bytes) {
  if (bytes > INT_MAX - kHeader) {
    plugin::fail(MUSTER_OUT_OF_RANGE, "the bootstrap carries set-up: 2 GiB at most per rank");
  }
  std::vector<unsigned char>& frame = buffers_->frame;
  frame.resize(kHeader + bytes);
  std::memcpy(frame.data(), &tag_, kHeader);
  if (bytes != 0) std::memcpy(frame.data() + kHeader, data, bytes);
  for (size_t i = 0; i < members_.size(); ++i) {
    if (members_[i] == rank_) {
      buffers_->incoming[i].frame = frame;
      buffers_->incoming[i].done = true;
      continue;
    }
    MPI_Request request = MPI_REQUEST_NULL;
    Serial serial;
    check(library.Isend(frame.data(), static_cast<int>(frame.size()), MPI_BYTE,
                        static_cast<int>(members_[i]), fold_tag(tag_), comm_, &request),
          "MPI_Isend");
    buffers_->sends.push_back(request);
  }
}

void Gathering::receive(uint32_t index) {
  Incoming& from = buffers_->incoming[index];
  Serial serial;
  if (from.request == MPI_REQUEST_NULL) {
    int found = 0;
    MPI_Message message = MPI_MESSAGE_NULL;
    MPI_Status status;
    check(library.Improbe(static_cast<int>(members_[index]), fold_tag(tag_), comm_, &found,
                          &message, &status),
          "MPI_Improbe");
    if (found == 0) return;
    int bytes = 0;
    library.Get_count(&status, MPI_BYTE, &bytes);
    from.frame.resize(static_cast<size_t>(bytes));
    check(library.Imrecv(from.frame.data(), bytes, MPI_BYTE, &message, &from.request),
          "MPI_Imrecv");
  }
  int done = 0;
  check(library.Test(&from.request, &done, MPI_STATUS_IGNORE), "MPI_Imrecv");
  if (done == 0) return;
  from.done = true;
  if (from.frame.size() < kHeader || std::memcmp(from.frame.data(), &tag_, kHeader) != 0) {
    plugin::fail(MUSTER_MISMATCH,
                 "world rank " + std::to_string(members_[index]) + " is in another exchange",
                 "make groups in the same order on every rank");
  }
}

bool Gathering::progress() {
  bool complete = true;
  for (uint32_t i = 0; i < members_.size(); ++i) {
    if (!buffers_->incoming[i].done) receive(i);
    complete = complete && buffers_->incoming[i].done;
  }
  int sent = 0;
  Serial serial;
  check(library.Testall(static_cast<int>(buffers_->sends.size()), buffers_->sends.data(), &sent,
                        MPI_STATUSES_IGNORE),
        "MPI_Isend");
  return complete && sent != 0;
}

std::string Gathering::missing() const {
  std::string names;
  for (size_t i = 0; i < members_.size(); ++i) {
    if (buffers_->incoming[i].done) continue;
    names += (names.empty() ? "" : ", ") + std::to_string(members_[i]);
  }
  return names.empty() ? "(a receiver)" : names;
}

std::vector<unsigned char> Gathering::part(uint32_t index) const {
  const std::vector<unsigned char>& frame = buffers_->incoming[index].frame;
  return {frame.begin() + kHeader, frame.end()};
}

void Gathering::abandon() {
  static std::mutex mutex;
  static auto& kept = *new std::vector<std::unique_ptr<Buffers>>;
  std::lock_guard<std::mutex> lock(mutex);
  kept.push_back(std::move(buffers_));
}

}  // namespace muster::mpi

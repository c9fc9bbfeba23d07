#include "tests/simulators/nccl/clique.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "tests/simulators/switches.hpp"

namespace muster::simulators {

std::shared_ptr<Clique> Clique::of(const std::string& id, int size) {
  static std::mutex mutex;
  static auto& known = *new std::map<std::string, std::weak_ptr<Clique>>;
  const std::lock_guard<std::mutex> lock(mutex);
  std::shared_ptr<Clique> clique = known[id].lock();
  if (clique == nullptr) known[id] = clique = std::shared_ptr<Clique>(new Clique(size));
  return clique;
}

std::string Clique::join(int rank, int device, int version) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (int other = 0; other < size_; ++other) {
    if (devices_[other] == device) {
      return "Duplicate GPU detected : rank " + std::to_string(rank) + " and rank " +
             std::to_string(other) + " both on CUDA device " + std::to_string(device);
    }
  }
  if (joined_ != 0 && version_ != version) return "Mismatched NCCL version detected";
  version_ = version;
  devices_[rank] = device;
  ++joined_;
  changed_.notify_all();
  return {};
}

bool Clique::complete() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return joined_ == size_;
}

bool Clique::wait_complete(const bool& aborted) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [&] { return joined_ == size_ || aborted; });
  return joined_ == size_;
}

void Clique::abort(bool& aborted) {
  const std::lock_guard<std::mutex> lock(mutex_);
  aborted = true;
  changed_.notify_all();
}

std::string Clique::mismatch(const Round& round) const {
  const Job& first = *round.jobs[0];
  for (const Job* job : round.jobs) {
    if (job->kind != first.kind || job->count != first.count || job->root != first.root ||
        (job->kind != Kind::kWindow && job->datatype != first.datatype) ||
        job->reduction.op != first.reduction.op) {
      return "the ranks make different calls";
    }
  }
  return {};
}

// The rank's result, from what all of them show.
void Clique::compute(const Round& round, int rank, std::vector<unsigned char>& out) const {
  const Job& mine = *round.jobs[rank];
  const size_t element = bytes_of(mine.datatype);
  const auto part_of = [&](int from, size_t offset) {
    return static_cast<const unsigned char*>(round.jobs[from]->send) + offset * element;
  };
  switch (mine.kind) {
    case Kind::kAllReduce:
    case Kind::kReduce:
    case Kind::kReduceScatter: {
      if (mine.kind == Kind::kReduce && rank != mine.root) return;
      const size_t offset = mine.kind == Kind::kReduceScatter ? rank * mine.count : 0;
      std::vector<const void*> sources;
      for (int from = 0; from < size_; ++from) sources.push_back(part_of(from, offset));
      out.resize(mine.count * element);
      reduce(mine.datatype, mine.reduction, sources, mine.count, out.data());
      if (rank == number("SIMULATED_NCCL_WRONG_SUM", -1) && !out.empty()) out[0] ^= 0x41;
      return;
    }
    case Kind::kBroadcast:
      out.assign(part_of(mine.root, 0), part_of(mine.root, mine.count));
      return;
    case Kind::kAllGather:
      for (int from = 0; from < size_; ++from)
        out.insert(out.end(), part_of(from, 0), part_of(from, mine.count));
      return;
    default:
      return;
  }
}

std::string Clique::run(int rank, const Job& job, const bool& aborted) {
  if (job.kind == Kind::kMessages) return run_messages(rank, job, aborted);
  std::unique_lock<std::mutex> lock(mutex_);
  if (rank == number("SIMULATED_NCCL_HANG_CALLS", -1)) {
    changed_.wait(lock, [&] { return aborted; });
    return "aborted";
  }
  if (next_[rank] == 0) {
    lock.unlock();
    usleep(1000 * static_cast<unsigned>(number("SIMULATED_NCCL_CONNECT_MS", 0)));
    lock.lock();
  }
  const uint64_t turn = next_[rank]++;
  Round& round = rounds_[turn];
  round.jobs.resize(static_cast<size_t>(size_));
  round.jobs[rank] = &job;
  ++round.came;
  changed_.notify_all();
  changed_.wait(lock, [&] { return round.came == size_ || aborted; });
  if (round.came != size_) return "aborted";
  const std::string wrong = mismatch(round);
  std::vector<unsigned char> result;
  if (wrong.empty()) {
    lock.unlock();
    compute(round, rank, result);
    lock.lock();
  }
  // Nobody writes before all have read, and nobody leaves what others still read.
  ++round.computed;
  changed_.notify_all();
  changed_.wait(lock, [&] { return round.computed == size_; });
  if (!result.empty()) std::memcpy(job.recv, result.data(), result.size());
  if (++round.left == size_) rounds_.erase(turn);
  return wrong;
}

std::string Clique::run_messages(int rank, const Job& job, const bool& aborted) {
  std::unique_lock<std::mutex> lock(mutex_);
  std::deque<Parcel> sent;
  for (const Message& message : job.messages) {
    if (!message.sends) continue;
    sent.push_back({&message});
    parcels_[{rank, message.peer}].push_back(&sent.back());
  }
  changed_.notify_all();
  std::string wrong;
  for (const Message& message : job.messages) {
    if (message.sends) continue;
    std::deque<Parcel*>& from = parcels_[{message.peer, rank}];
    changed_.wait(lock, [&] { return !from.empty() || aborted; });
    if (from.empty()) {
      wrong = "aborted";
      break;
    }
    Parcel& parcel = *from.front();
    from.pop_front();
    if (parcel.message->bytes != message.bytes) wrong = "a message has another size";
    std::memmove(message.data, parcel.message->data,
                 std::min(parcel.message->bytes, message.bytes));
    parcel.taken = true;
    changed_.notify_all();
  }
  for (Parcel& parcel : sent) {
    changed_.wait(lock, [&] { return parcel.taken || aborted; });
    if (parcel.taken) continue;
    std::deque<Parcel*>& to = parcels_[{rank, parcel.message->peer}];
    for (auto at = to.begin(); at != to.end(); ++at) {
      if (*at != &parcel) continue;
      to.erase(at);
      break;
    }
  }
  return wrong;
}

}  // namespace muster::simulators

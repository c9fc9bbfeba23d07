// The ranks of one node meet in shared memory, so that all start a measured call together.
//
// A meeting costs what two cores need to notice each other (a third of a microsecond or so), where
// a barrier of any library would hide a call of that length. Every rank has a cache line: it
// stores its count of meetings there and reads those of the others. Nothing is linked: muster's
// command and the programs of its peers use the same code.
//
// One thread per rank. Lives as long as the object; nothing is left behind. Like an MPI_Barrier on
// an MPI_COMM_TYPE_SHARED communicator, but made for being timed.
#ifndef MUSTER_CORE_CLI_MEETING_HPP
#define MUSTER_CORE_CLI_MEETING_HPP

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace muster::cli {

// Where the memory of rank 0 is found; plain bytes that any channel carries to the other ranks.
struct MeetingAddress {
  int32_t process = -1;
  int32_t fd = -1;
  uint64_t nonce = 0;
  uint32_t ranks = 0;
  uint32_t padding = 0;
};

class Meeting {
 public:
  // Rank 0 makes the memory. Null where there is no memory file.
  static std::unique_ptr<Meeting> host(uint32_t ranks, MeetingAddress* address) {
    const int fd = memfd_create("muster-meeting", MFD_CLOEXEC);
    if (fd < 0) return nullptr;
    if (ftruncate(fd, static_cast<off_t>(bytes_for(ranks))) != 0) {
      close(fd);
      return nullptr;
    }
    std::unique_ptr<Meeting> meeting = map(fd, 0, ranks);
    if (meeting == nullptr) return nullptr;
    // A number that no other memory of this node has: a process number may mean another process
    // on another node or in another container.
    const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    const uint64_t nonce = static_cast<uint64_t>(now) * 0x9E3779B97F4A7C15ull ^
                           static_cast<uint64_t>(getpid()) << 32 ^
                           reinterpret_cast<uintptr_t>(meeting->shared_);
    meeting->shared_->nonce = nonce;
    *address = {static_cast<int32_t>(getpid()), fd, nonce, ranks, 0};
    return meeting;
  }

  // The other ranks open it. Null where that memory cannot be reached, as on another node.
  static std::unique_ptr<Meeting> join(const MeetingAddress& address, uint32_t rank) {
    const std::string path =
        "/proc/" + std::to_string(address.process) + "/fd/" + std::to_string(address.fd);
    const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) return nullptr;
    if (lseek(fd, 0, SEEK_END) != static_cast<off_t>(bytes_for(address.ranks))) {
      close(fd);
      return nullptr;
    }
    std::unique_ptr<Meeting> meeting = map(fd, rank, address.ranks);
    if (meeting == nullptr || meeting->shared_->nonce != address.nonce) return nullptr;
    return meeting;
  }

  ~Meeting() {
    munmap(static_cast<void*>(shared_), bytes_for(ranks_));
    close(fd_);
  }
  Meeting(const Meeting&) = delete;
  Meeting& operator=(const Meeting&) = delete;

  // The first meeting, once every rank is known to have joined: finds out whether the ranks have a
  // core each. False: a rank did not come.
  bool open_with_all() {
    Line& mine = line(rank_);
    if (sched_getaffinity(0, sizeof(mine.processors), &mine.processors) != 0) {
      CPU_ZERO(&mine.processors);
    }
    if (!meet()) return false;
    cpu_set_t all;
    CPU_ZERO(&all);
    for (uint32_t r = 0; r < ranks_; ++r) CPU_OR(&all, &all, &line(r).processors);
    crowded_ = static_cast<uint32_t>(CPU_COUNT(&all)) < ranks_;
    return meet();
  }

  // Whether there are more ranks than cores: they then give the core away while they wait.
  bool crowded() const { return crowded_; }
  uint32_t rank() const { return rank_; }
  uint32_t ranks() const { return ranks_; }

  // Returns when all ranks have come here equally often. False: one did not (missing()), for a
  // minute or because its process is gone.
  bool meet() {
    const uint64_t epoch = ++epoch_;
    line(rank_).epoch.store(epoch, std::memory_order_release);
    for (uint32_t r = 0; r < ranks_; ++r) {
      const std::atomic<uint64_t>& theirs = line(r).epoch;
      if (theirs.load(std::memory_order_acquire) < epoch && !wait_for(r, epoch)) {
        missing_ = r;
        return false;
      }
    }
    return true;
  }
  // After a meeting that failed: the rank that did not come.
  uint32_t missing() const { return missing_; }

  // Replaces each value by the largest of all ranks. Equal n on all ranks; false as meet().
  bool largest(double* values, size_t n) {
    for (size_t from = 0; from < n; from += kValues) {
      const size_t few = std::min(kValues, n - from);
      std::copy_n(values + from, few, line(rank_).values);
      if (!meet()) return false;
      for (uint32_t r = 0; r < ranks_; ++r) {
        for (size_t i = 0; i < few; ++i) {
          values[from + i] = std::max(values[from + i], line(r).values[i]);
        }
      }
      if (!meet()) return false;
    }
    return true;
  }

 private:
  static constexpr size_t kValues = 480;

  // The epoch has 128 bytes for itself: cores fetch lines in pairs.
  struct Line {
    alignas(128) std::atomic<uint64_t> epoch;
    alignas(128) cpu_set_t processors;
    std::atomic<int32_t> process;  // 0: not joined yet
    alignas(128) double values[kValues];
  };
  struct Shared {
    alignas(128) uint64_t nonce;
  };
  static_assert(std::atomic<uint64_t>::is_always_lock_free);

  static size_t bytes_for(uint32_t ranks) { return sizeof(Shared) + ranks * sizeof(Line); }

  static std::unique_ptr<Meeting> map(int fd, uint32_t rank, uint32_t ranks) {
    void* const memory =
        mmap(nullptr, bytes_for(ranks), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (memory == MAP_FAILED) {
      close(fd);
      return nullptr;
    }
    return std::unique_ptr<Meeting>(new Meeting(static_cast<Shared*>(memory), fd, rank, ranks));
  }

  Meeting(Shared* shared, int fd, uint32_t rank, uint32_t ranks)
      : shared_(shared),
        lines_(reinterpret_cast<Line*>(shared + 1)),
        fd_(fd),
        rank_(rank),
        ranks_(ranks) {
    line(rank).process.store(static_cast<int32_t>(getpid()), std::memory_order_release);
  }

  // Whether the rank's process is known to have ended.
  bool gone(uint32_t rank) const {
    const int32_t process = lines_[rank].process.load(std::memory_order_acquire);
    return process != 0 && kill(process, 0) != 0 && errno == ESRCH;
  }

  Line& line(uint32_t rank) { return lines_[rank]; }

  bool wait_for(uint32_t rank, uint64_t epoch) const {
    const std::atomic<uint64_t>& word = lines_[rank].epoch;
    constexpr uint32_t kPauses = 20000;  // about a millisecond, then the kernel is asked
    constexpr uint32_t kTurns = 4096;
    uint32_t pauses = crowded_ ? kPauses : 0;
    std::chrono::steady_clock::time_point give_up{};
    for (uint32_t turn = 0;;) {
      if (word.load(std::memory_order_acquire) >= epoch) return true;
      if (pauses < kPauses) {
        ++pauses;
        relax();
        continue;
      }
      sched_yield();
      if (++turn % kTurns != 0) continue;
      // Its last word counts: it may have come and ended.
      if (gone(rank)) return word.load(std::memory_order_acquire) >= epoch;
      const auto now = std::chrono::steady_clock::now();
      if (give_up == std::chrono::steady_clock::time_point{}) {
        give_up = now + std::chrono::minutes(1);
      } else if (now > give_up) {
        return false;
      }
    }
  }

  static void relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield" ::: "memory");
#endif
  }

  Shared* shared_;
  Line* lines_;
  int fd_;
  uint32_t rank_;
  uint32_t ranks_;
  uint64_t epoch_ = 0;
  uint32_t missing_ = 0;
  bool crowded_ = true;  // until the ranks have told each other where they may run
};

}  // namespace muster::cli

#endif

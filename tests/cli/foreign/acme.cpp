// A backend of somebody else's, built outside the tree's plugins and dropped into a directory:
// all_reduce of bf16 and f32 sums in host memory on one machine, in one shot.
//
// Each rank owns a memory file: two words that the others wait on, and a chunk that they read.
// Chunk e of a group's life is filled once everybody has read chunk e-1, and reduced by every rank
// in rank order.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "muster/plugin.hpp"

namespace {

using muster::plugin::fail;

constexpr uint64_t kChunkBytes = 64 * 1024;

struct Segment {
  muster_wait_word filled;
  char apart[64 - sizeof(muster_wait_word)];
  muster_wait_word read;
  char apart_too[64 - sizeof(muster_wait_word)];
  unsigned char chunk[kChunkBytes];
};

class AcmeGroup {
 public:
  explicit AcmeGroup(muster::plugin::Group group) : group_(group) {
    const muster::plugin::Host host = group_.host();
    bf16_ = host.kernel<muster_host_reduce>(MUSTER_FAMILY_HOST_REDUCE, MUSTER_BF16, MUSTER_SUM);
    f32_ = host.kernel<muster_host_reduce>(MUSTER_FAMILY_HOST_REDUCE, MUSTER_F32, MUSTER_SUM);
    if (bf16_ == nullptr || f32_ == nullptr) fail(MUSTER_UNAVAILABLE, "no kernel host_reduce/1");
    own_ = memfd_create("acme", MFD_CLOEXEC);
    if (own_ < 0 || ftruncate(own_, sizeof(Segment)) != 0) {
      fail(MUSTER_RESOURCE_EXHAUSTED, std::string("no shared memory: ") + std::strerror(errno));
    }
  }
  ~AcmeGroup() {
    for (Segment* segment : segments_) munmap(segment, sizeof(Segment));
    if (own_ >= 0) close(own_);
  }
  AcmeGroup(const AcmeGroup&) = delete;
  AcmeGroup& operator=(const AcmeGroup&) = delete;

  void connect() {
    bool mapped = true;
    for (const int32_t fd : group_.exchange_fds(&own_, 1)) {
      void* const memory =
          mmap(nullptr, sizeof(Segment), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
      close(fd);
      if (memory == MAP_FAILED) {
        mapped = false;
      } else {
        segments_.push_back(static_cast<Segment*>(memory));
      }
    }
    if (!mapped) fail(MUSTER_RESOURCE_EXHAUSTED, "cannot map what a peer shares");
    for (Segment* segment : segments_) sources_.push_back(segment->chunk);
  }

  void execute(const muster_call& call) {
    const uint64_t element = call.dtype == MUSTER_BF16 ? 2 : 4;
    const muster_host_reduce reduce = call.dtype == MUSTER_BF16 ? bf16_ : f32_;
    const uint64_t whole = call.count * element;
    for (uint64_t at = 0; at < whole; at += kChunkBytes) {
      const uint64_t bytes = std::min(kChunkBytes, whole - at);
      for (uint32_t peer = 0; peer < group_.size(); ++peer) {
        group_.wait(&segments_[peer]->read, chunks_, peer);
      }
      ++chunks_;
      Segment& mine = *segments_[group_.rank()];
      std::memcpy(mine.chunk, static_cast<const char*>(call.send) + at, bytes);
      group_.signal(&mine.filled, chunks_);
      for (uint32_t peer = 0; peer < group_.size(); ++peer) {
        group_.wait(&segments_[peer]->filled, chunks_, peer);
      }
      reduce(static_cast<char*>(call.recv) + at, sources_.data(), group_.size(), bytes / element,
             call.scalar, 1);
      group_.signal(&mine.read, chunks_);
    }
  }

 private:
  muster::plugin::Group group_;
  muster_host_reduce bf16_ = nullptr;
  muster_host_reduce f32_ = nullptr;
  int32_t own_ = -1;
  std::vector<Segment*> segments_;
  std::vector<const void*> sources_;
  uint64_t chunks_ = 0;
};

class AcmeBackend {
 public:
  static constexpr int32_t kPriority = 10;

  explicit AcmeBackend(muster::plugin::Host) {}
  void probe(muster::plugin::Facts facts) { facts.put("acme.generation", "7"); }
  void offer(muster::plugin::Query query) {
    if (!query.one_node()) return query.decline("the ranks are on several machines");
    if (query.bootstrap() == "threads") return query.decline("the ranks are threads");
    muster_rule rule = muster::plugin::rule("one_shot", MUSTER_BIT(MUSTER_ALL_REDUCE));
    rule.dtypes = MUSTER_BIT(MUSTER_BF16) | MUSTER_BIT(MUSTER_F32);
    rule.redops = MUSTER_BIT(MUSTER_SUM);
    rule.determinism = MUSTER_SIZE_INVARIANT;
    query.add(rule);
  }
  std::unique_ptr<AcmeGroup> prepare(muster::plugin::Group group) {
    return std::make_unique<AcmeGroup>(group);
  }
};

}  // namespace

MUSTER_PLUGIN(AcmeBackend, AcmeGroup, "acme", "7.1.0", "Acme Corporation", "", "");

// The backend "@NAME@": all_reduce, broadcast, all_gather and barrier on host memory, for ranks on
// one machine.
//
// Each rank owns a segment: a chunk that the others read, and two words that they wait on. A call
// is a sequence of rounds; in a round every rank shows one chunk and looks at those of the others.
// Functions may throw: plugin.hpp turns what leaves them into a status.
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "muster/plugin.hpp"
#include "segment.hpp"

namespace {

using muster::plugin::fail;

// What is taken. Every value of the vocabulary that is left out is declined before a call.
constexpr uint64_t kReducedTypes = MUSTER_BIT(MUSTER_I32) | MUSTER_BIT(MUSTER_I64) |
                                   MUSTER_BIT(MUSTER_F16) | MUSTER_BIT(MUSTER_BF16) |
                                   MUSTER_BIT(MUSTER_F32) | MUSTER_BIT(MUSTER_F64);
constexpr uint64_t kReductions =
    MUSTER_BIT(MUSTER_SUM) | MUSTER_BIT(MUSTER_MIN) | MUSTER_BIT(MUSTER_MAX);
constexpr uint64_t kMovedTypes = MUSTER_BIT(MUSTER_DTYPE_END) - MUSTER_BIT(MUSTER_I8);

// A rank takes part if it has this fact with this value. Raise it when the layout of Segment
// changes.
constexpr const char* kFact = "segment";
constexpr const char* kFactValue = "1";

// Calls without data may come without buffers.
void copy(void* to, const void* from, uint64_t bytes) {
  if (bytes != 0) std::memcpy(to, from, bytes);
}

// One rank's part of one group. Everything of a rank lives here, never in a global: several ranks
// may be threads of one process.
class LocalGroup {
 public:
  // This rank alone; must not wait for another one.
  explicit LocalGroup(muster::plugin::Group group) : group_(group), own_(SegmentFile::make()) {
    for (muster_dtype dtype = 0; dtype < MUSTER_DTYPE_END; ++dtype) {
      for (muster_redop redop = 0; redop < MUSTER_REDOP_END; ++redop) {
        if (!(kReducedTypes & MUSTER_BIT(dtype)) || !(kReductions & MUSTER_BIT(redop))) continue;
        // The runtime's best kernel for this machine, from whichever pack.
        const auto kernel =
            group_.host().kernel<muster_host_reduce>(MUSTER_FAMILY_HOST_REDUCE, dtype, redop);
        if (kernel == nullptr) {
          fail(MUSTER_UNAVAILABLE, "no kernel host_reduce/1 for dtype " + std::to_string(dtype));
        }
        reduce_[dtype][redop] = kernel;
      }
    }
  }
  // The destructor is group_destroy: it waits for nobody, and comes after a failed connect too.

  // With all other ranks. A failure of any of them leaves the backend out on all.
  void connect() {
    std::vector<SegmentFile> files;
    const int32_t own = own_.get();
    for (const int32_t fd : group_.exchange_fds(&own, 1)) files.emplace_back(fd);
    for (const SegmentFile& file : files) segments_.emplace_back(file);
    for (const MappedSegment& segment : segments_) chunks_.push_back(segment->chunk);
  }

  // Carries out what a rule of offer took. To decline is not possible any more.
  void execute(const muster_call& call) {
    switch (call.op) {
      case MUSTER_ALL_REDUCE:
        return all_reduce(call);
      case MUSTER_BROADCAST:
        return broadcast(call);
      case MUSTER_ALL_GATHER:
        return all_gather(call);
      case MUSTER_BARRIER:
        return round(nullptr, 0, [] {});
      default:
        fail(MUSTER_INTERNAL, "operation " + std::to_string(call.op) + " was never offered",
             "report this to the authors of muster");
    }
  }

 private:
  // Shows `bytes` bytes to all ranks, then looks at what they show in chunks_. group_.wait is the
  // only way to wait: it ends when the peer dies, at the deadline, and when the group is aborted.
  template <typename Look>
  void round(const void* data, uint64_t bytes, Look look) {
    Segment& mine = *segments_[group_.rank()].operator->();
    for (uint32_t peer = 0; peer < group_.size(); ++peer) {
      group_.wait(&segments_[peer]->read, rounds_, peer);
    }
    ++rounds_;
    copy(mine.chunk, data, bytes);
    group_.signal(&mine.written, rounds_);
    for (uint32_t peer = 0; peer < group_.size(); ++peer) {
      group_.wait(&segments_[peer]->written, rounds_, peer);
    }
    look();
    group_.signal(&mine.read, rounds_);
  }

  // A round for each part of `whole` bytes; one, which moves nothing, when there are none: a call
  // of zero elements still takes part.
  template <typename Part>
  static void for_each_part(uint64_t whole, Part part) {
    uint64_t at = 0;
    do {
      const uint64_t bytes = std::min(kChunkBytes, whole - at);
      part(at, bytes);
      at += bytes;
    } while (at < whole);
  }

  // Every rank combines all chunks in rank order: the same bits everywhere, at every size.
  void all_reduce(const muster_call& call) {
    const uint64_t element = muster_dtype_size(call.dtype);
    const muster_host_reduce reduce = reduce_[call.dtype][call.redop];
    for_each_part(call.count * element, [&](uint64_t at, uint64_t bytes) {
      round(static_cast<const char*>(call.send) + at, bytes, [&] {
        reduce(static_cast<char*>(call.recv) + at, chunks_.data(), group_.size(), bytes / element,
               call.scalar, 1);
      });
    });
  }

  void broadcast(const muster_call& call) {
    const bool root = group_.rank() == call.root;
    for_each_part(call.count * muster_dtype_size(call.dtype), [&](uint64_t at, uint64_t bytes) {
      round(root ? static_cast<const char*>(call.send) + at : nullptr, root ? bytes : 0,
            [&] { copy(static_cast<char*>(call.recv) + at, chunks_[call.root], bytes); });
    });
  }

  void all_gather(const muster_call& call) {
    const uint64_t whole = call.count * muster_dtype_size(call.dtype);
    for_each_part(whole, [&](uint64_t at, uint64_t bytes) {
      round(static_cast<const char*>(call.send) + at, bytes, [&] {
        for (uint32_t peer = 0; peer < group_.size(); ++peer) {
          copy(static_cast<char*>(call.recv) + peer * whole + at, chunks_[peer], bytes);
        }
      });
    });
  }

  muster::plugin::Group group_;
  SegmentFile own_;
  std::vector<MappedSegment> segments_;  // by group rank
  std::vector<const void*> chunks_;      // by group rank
  std::array<std::array<muster_host_reduce, MUSTER_REDOP_END>, MUSTER_DTYPE_END> reduce_{};
  uint64_t rounds_ = 0;
};

// The opened plugin in one runtime.
class LocalBackend {
 public:
  // 0 to 100, compared with that of other backends where the configuration says nothing.
  static constexpr int32_t kPriority = 50;
  // What [backend.@NAME@] options = { ... } may hold, checked before anything here sees it.
  static constexpr muster_option kOptions[] = {
      muster::plugin::option("largest", MUSTER_OPTION_BYTES, "67108864",
                             "bytes per rank of the largest call that is taken", 1,
                             int64_t{1} << 40),
  };

  explicit LocalBackend(muster::plugin::Host) {}

  // Looks at this machine. What it puts is known to every rank's offer.
  void probe(muster::plugin::Facts facts) {
    SegmentFile::make();
    facts.put(kFact, kFactValue);
  }

  // Which calls would be taken for the described group: a pure function of the query.
  void offer(muster::plugin::Query query) {
    if (!query.one_node()) return query.decline("the ranks are on several machines");
    for (uint32_t rank = 0; rank < query.size(); ++rank) {
      if (query.fact(rank, kFact) != kFactValue) {
        return query.decline("rank " + std::to_string(rank) + " shares memory in another way");
      }
    }
    const uint64_t largest = std::stoull(query.option("largest"));
    muster_rule rule = muster::plugin::rule("one_shot", MUSTER_BIT(MUSTER_ALL_REDUCE));
    rule.dtypes = kReducedTypes;
    rule.redops = kReductions;
    rule.bytes_to = largest;
    rule.determinism = MUSTER_SIZE_INVARIANT;
    query.add(rule);

    rule = muster::plugin::rule("chunked",
                                MUSTER_BIT(MUSTER_BROADCAST) | MUSTER_BIT(MUSTER_ALL_GATHER));
    rule.dtypes = kMovedTypes;
    rule.bytes_to = largest;
    rule.determinism = MUSTER_SIZE_INVARIANT;
    query.add(rule);

    rule = muster::plugin::rule("words", MUSTER_BIT(MUSTER_BARRIER));
    rule.determinism = MUSTER_SIZE_INVARIANT;
    query.add(rule);
  }

  std::unique_ptr<LocalGroup> prepare(muster::plugin::Group group) {
    return std::make_unique<LocalGroup>(group);
  }
};

}  // namespace

// Backend, group, id, version, vendor; then the environment variables and the files whose change
// makes a cached probe stale, separated by spaces.
MUSTER_PLUGIN(LocalBackend, LocalGroup, "@NAME@", "0.1.0", "the authors of @NAME@", "", "");

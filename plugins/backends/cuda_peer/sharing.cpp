#include "plugins/backends/cuda_peer/sharing.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "plugins/backends/cuda_peer/allocation.hpp"

namespace muster::cuda_peer {
namespace {

// What the others are told of a piece.
struct PieceCard {
  uint32_t allocation;  // the how many-th of its rank
  Verdict verdict;
  uint64_t offset;
  uint64_t bytes;
};

bool one_process(const plugin::Group& group) {
  const muster_rank_place* const places = group.info().places;
  return std::all_of(places, places + group.size(), [&](const muster_rank_place& place) {
    return place.process == places[0].process;
  });
}

// Closes what an exchange gave.
struct Descriptors {
  std::vector<int32_t> fds;
  ~Descriptors() {
    for (const int32_t fd : fds) {
      if (fd >= 0) close(fd);
    }
  }
};

// This rank's allocations, each once, and its pieces in them.
struct Given {
  std::vector<std::unique_ptr<Allocation>> allocations;
  std::vector<PieceCard> cards;

  Given(cu::DeviceHandle device, const std::vector<Piece>& pieces, bool in_process) {
    for (const Piece& piece : pieces) {
      auto found =
          std::find_if(allocations.begin(), allocations.end(),
                       [&](const auto& allocation) { return allocation->holds(piece.begin, 1); });
      if (found == allocations.end()) {
        allocations.push_back(std::make_unique<Allocation>(device, piece.begin, in_process));
        found = allocations.end() - 1;
      }
      const Allocation& allocation = **found;
      Verdict verdict = allocation.verdict();
      if (verdict == Verdict::kShared && !allocation.holds(piece.begin, piece.bytes)) {
        verdict = Verdict::kSeveral;
      }
      cards.push_back({static_cast<uint32_t>(found - allocations.begin()), verdict,
                       piece.begin - allocation.card().begin, piece.bytes});
    }
  }
};

cu::DevicePointer map_allocation(cu::DeviceHandle device, cu::MemoryHandle handle, uint64_t bytes) {
  const cu::Driver& cuda = cu::driver();
  cu::DevicePointer at = 0;
  cuda.check(cuda.address_reserve(&at, bytes, 0, 0, 0), "cuMemAddressReserve");
  cu::Result result = cuda.memory_map(at, bytes, 0, handle, 0);
  if (result == cu::kSuccess) {
    const cu::MemoryAccess access{{cu::kLocationDevice, device}, cu::kAccessReadWrite};
    result = cuda.memory_set_access(at, bytes, &access, 1);
    if (result != cu::kSuccess) cuda.memory_unmap(at, bytes);
  }
  if (result != cu::kSuccess) cuda.address_free(at, bytes);
  cuda.check(result, "mapping device memory");
  return at;
}

// Plain memory of a thread of this process.
std::unique_ptr<PeerMapping> reach(const AllocationCard& card) {
  const cu::Driver& cuda = cu::driver();
  const cu::Result result = cuda.context_enable_peer(card.context, 0);
  cu::Context own = nullptr;
  cuda.context_current(&own);
  if (own != card.context && result != cu::kPeerAccessAlreadyEnabled) {
    cuda.check(result, "cuCtxEnablePeerAccess");
  }
  return std::make_unique<PeerMapping>(PeerMapping::Way::kDirect, card.begin, card.bytes);
}

std::unique_ptr<PeerMapping> open_allocation(cu::DeviceHandle device, const AllocationCard& card,
                                             int fd, bool here) {
  const cu::Driver& cuda = cu::driver();
  if (card.handle == 0) {
    if (here) return reach(card);
    cu::DevicePointer pointer = 0;
    cuda.check(cuda.ipc_open(&pointer, card.ipc, cu::kIpcPeerAccess), "cuIpcOpenMemHandle");
    return std::make_unique<PeerMapping>(PeerMapping::Way::kIpc, pointer, card.bytes);
  }
  cu::MemoryHandle handle = card.handle;
  if (!here) {
    cuda.check(cuda.memory_import(&handle, reinterpret_cast<void*>(static_cast<intptr_t>(fd)),
                                  cu::kHandleFileDescriptor),
               "cuMemImportFromShareableHandle");
  }
  // The mapping keeps the memory.
  struct Release {
    cu::MemoryHandle imported;
    ~Release() {
      if (imported != 0) cu::driver().memory_release(imported);
    }
  } const release{here ? 0 : handle};
  return std::make_unique<PeerMapping>(PeerMapping::Way::kMapped,
                                       map_allocation(device, handle, card.bytes), card.bytes);
}

// By rank and number of the allocation; this rank's and those that are not there are null.
class Opened {
 public:
  // Exchanges what all ranks give. What cannot be opened stays null, with the cause in `obstacle`.
  Opened(const plugin::Group& group, cu::DeviceHandle device, const Given& given, bool in_process)
      : by_rank_(group.size()) {
    const auto own = static_cast<uint32_t>(given.allocations.size());
    std::vector<uint32_t> counts(group.size());
    group.all_gather(&own, sizeof(own), counts.data());
    const uint32_t most = *std::max_element(counts.begin(), counts.end());
    for (uint32_t number = 0; number < most; ++number) {
      const Allocation* const mine = number < own ? given.allocations[number].get() : nullptr;
      exchange(group, device, mine, in_process);
    }
  }

  const std::string& obstacle() const { return obstacle_; }
  const PeerMapping* find(uint32_t rank, uint32_t number) const {
    return number < by_rank_[rank].size() ? by_rank_[rank][number].get() : nullptr;
  }
  std::vector<std::unique_ptr<PeerMapping>> take() {
    std::vector<std::unique_ptr<PeerMapping>> all;
    for (auto& mappings : by_rank_) {
      for (auto& mapping : mappings) {
        if (mapping != nullptr) all.push_back(std::move(mapping));
      }
    }
    return all;
  }

 private:
  void exchange(const plugin::Group& group, cu::DeviceHandle device, const Allocation* mine,
                bool in_process) {
    const bool given = mine != nullptr && mine->verdict() == Verdict::kShared;
    const AllocationCard own = given ? mine->card() : AllocationCard{};
    std::vector<AllocationCard> cards(group.size());
    group.all_gather(&own, sizeof(own), cards.data());
    Descriptors received;
    received.fds.assign(group.size(), -1);
    if (!in_process) {
      // Who has none gives one of nothing: all ranks give the same number.
      Descriptors nothing;
      int32_t fd = given ? mine->fd() : -1;
      if (fd < 0) {
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        nothing.fds.push_back(fd);
      }
      received.fds = group.exchange_fds(&fd, 1);
    }
    const muster_rank_place* const places = group.info().places;
    for (uint32_t r = 0; r < group.size(); ++r) {
      std::unique_ptr<PeerMapping> opened;
      if (r != group.rank() && cards[r].bytes != 0) {
        try {
          opened = open_allocation(device, cards[r], received.fds[r],
                                   places[r].process == places[group.rank()].process);
        } catch (const cu::Error& error) {
          obstacle_ = "memory of rank " + std::to_string(r) + " cannot be mapped: " + error.what();
        }
      }
      by_rank_[r].push_back(std::move(opened));
    }
  }

  std::vector<std::vector<std::unique_ptr<PeerMapping>>> by_rank_;
  std::string obstacle_;
};

// By rank, in the order of the pieces.
std::vector<std::vector<PieceCard>> exchange_cards(const plugin::Group& group,
                                                   const std::vector<PieceCard>& own) {
  constexpr size_t kAtOnce = 64;
  std::vector<std::vector<PieceCard>> cards(group.size());
  for (size_t first = 0; first < own.size(); first += kAtOnce) {
    const size_t count = std::min(kAtOnce, own.size() - first);
    std::vector<PieceCard> some(count * group.size());
    group.all_gather(own.data() + first, count * sizeof(PieceCard), some.data());
    for (uint32_t r = 0; r < group.size(); ++r) {
      cards[r].insert(cards[r].end(), some.begin() + r * count, some.begin() + (r + 1) * count);
    }
  }
  return cards;
}

// The first obstacle that a rank has met, the same on all; "" when there is none. Nobody goes on,
// and releases what another one is still about to map, before all have come here.
std::string vote(const plugin::Group& group, const std::string& obstacle) {
  struct Said {
    char text[248];
  } own{};
  obstacle.copy(own.text, sizeof(own.text) - 1);
  std::vector<Said> all(group.size());
  group.all_gather(&own, sizeof(own), all.data());
  for (uint32_t r = 0; r < group.size(); ++r) {
    if (all[r].text[0] != '\0') return "on rank " + std::to_string(r) + " " + all[r].text;
  }
  return {};
}

}  // namespace

PeerMapping::~PeerMapping() {
  if (way_ == Way::kIpc) cu::driver().ipc_close(begin_);
  if (way_ != Way::kMapped) return;
  cu::driver().memory_unmap(begin_, bytes_);
  cu::driver().address_free(begin_, bytes_);
}

SharedPieces share_pieces(const plugin::Group& group, cu::DeviceHandle device,
                          const std::vector<Piece>& pieces) {
  const bool in_process = one_process(group);
  const Given given(device, pieces, in_process);
  const std::vector<std::vector<PieceCard>> cards = exchange_cards(group, given.cards);
  Opened opened(group, device, given, in_process);
  const std::string obstacle = vote(group, opened.obstacle());
  SharedPieces shared;
  for (size_t i = 0; i < pieces.size(); ++i) {
    SharedPiece piece{obstacle, std::vector<cu::DevicePointer>(group.size(), pieces[i].begin)};
    for (uint32_t r = 0; r < group.size(); ++r) {
      const PieceCard& card = cards[r][i];
      if (piece.refused.empty() && card.verdict != Verdict::kShared) {
        piece.refused = "the memory of rank " + std::to_string(r) + " " + text_of(card.verdict);
      } else if (piece.refused.empty() && card.bytes != cards[0][i].bytes) {
        piece.refused = "rank " + std::to_string(r) + " gives " + std::to_string(card.bytes) +
                        " bytes, rank 0 " + std::to_string(cards[0][i].bytes);
      }
      const PeerMapping* const mapping = opened.find(r, card.allocation);
      if (mapping != nullptr) piece.at[r] = mapping->begin() + card.offset;
    }
    shared.pieces.push_back(std::move(piece));
  }
  shared.mappings = opened.take();
  return shared;
}

}  // namespace muster::cuda_peer

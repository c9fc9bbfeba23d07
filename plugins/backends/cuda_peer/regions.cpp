#include "plugins/backends/cuda_peer/regions.hpp"

#include <algorithm>

namespace muster::cuda_peer {
namespace {

constexpr uint64_t kPacket = 16;

bool begins_before(cu::DevicePointer address, const Region* region) {
  return address < region->own.begin;
}

}  // namespace

Region* Regions::add(Piece own, const SharedPiece& shared,
                     std::vector<std::unique_ptr<PeerMapping>> mappings, bool known) {
  auto made = std::make_unique<Region>();
  made->own = own;
  made->mappings = std::move(mappings);
  // The lowest number that is free; all ranks have the same ones.
  auto place = regions_.begin();
  while (place != regions_.end() && (*place)->number == made->number) {
    ++made->number;
    ++place;
  }
  words_.write(region_at(made->number, 0), {shared.at.begin(), shared.at.end()});
  Region* const region = made.get();
  by_address_.reserve(by_address_.size() + 1);
  regions_.insert(place, std::move(made));
  if (!known) return region;
  by_address_.insert(
      std::upper_bound(by_address_.begin(), by_address_.end(), own.begin, begins_before), region);
  return region;
}

void Regions::remove(const Region* region) {
  by_address_.erase(std::remove(by_address_.begin(), by_address_.end(), region), by_address_.end());
  regions_.erase(std::remove_if(regions_.begin(), regions_.end(),
                                [&](const auto& owned) { return owned.get() == region; }),
                 regions_.end());
}

Word Regions::search(cu::DevicePointer begin, uint64_t bytes) const {
  auto after = std::upper_bound(by_address_.begin(), by_address_.end(), begin, begins_before);
  if (after == by_address_.begin() || begin % kPacket != 0) return kToldNothing;
  const Region& region = **--after;
  const uint64_t offset = begin - region.own.begin;
  if (offset > region.own.bytes || bytes > region.own.bytes - offset) return kToldNothing;
  return told_of(region.number, offset);
}

}  // namespace muster::cuda_peer

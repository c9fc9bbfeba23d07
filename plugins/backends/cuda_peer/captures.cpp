#include "plugins/backends/cuda_peer/captures.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

namespace muster::cuda_peer {

const Word* Captures::slot(const void* buffer, uint64_t bytes) {
  const size_t number = used_ + pending_.size();
  if (number == kToldSlots) return nullptr;
  pending_.push_back({cu::device_pointer(buffer), bytes});
  return words_.on_device(kToldAt + number * sizeof(Word));
}

void Captures::record(const std::string& verdict, const std::string& reason) const {
  group_.host().record("captured calls of group " + std::string(group_.info().name), verdict,
                       reason);
}

std::vector<uint32_t> Captures::first_alike(const std::vector<Piece>& calls) const {
  constexpr size_t kAtOnce = 256;
  const auto count = static_cast<uint32_t>(calls.size());
  std::map<std::pair<cu::DevicePointer, uint64_t>, uint32_t> known;
  std::vector<uint32_t> own(count);
  for (uint32_t i = 0; i < count; ++i) {
    own[i] = known.emplace(std::pair(calls[i].begin, calls[i].bytes), i).first->second;
  }
  // By call, what every rank says of it.
  std::vector<std::vector<uint32_t>> said(count);
  for (size_t first = 0; first < count; first += kAtOnce) {
    const size_t some = std::min(kAtOnce, count - first);
    std::vector<uint32_t> all(some * group_.size());
    group_.all_gather(own.data() + first, some * sizeof(uint32_t), all.data());
    for (size_t i = 0; i < all.size(); ++i) said[first + i % some].push_back(all[i]);
  }
  std::map<std::vector<uint32_t>, uint32_t> alike;
  std::vector<uint32_t> firsts(count);
  for (uint32_t i = 0; i < count; ++i) firsts[i] = alike.emplace(said[i], i).first->second;
  return firsts;
}

std::vector<Word> Captures::register_all(const std::vector<Piece>& distinct) {
  constexpr uint64_t kPacket = 16;
  SharedPieces shared = share_pieces(group_, device_, distinct);
  std::vector<Word> told(distinct.size(), kToldNothing);
  size_t refused = 0;
  std::string first;
  for (size_t i = 0; i < distinct.size(); ++i) {
    const SharedPiece& piece = shared.pieces[i];
    if (!piece.refused.empty() || regions_.full()) {
      if (refused++ == 0) first = piece.refused.empty() ? "there are too many" : piece.refused;
      continue;
    }
    const Region* const region = regions_.add(distinct[i], piece, {}, false);
    if (distinct[i].begin % kPacket == 0) told[i] = told_of(region->number, 0);
  }
  std::move(shared.mappings.begin(), shared.mappings.end(), std::back_inserter(mappings_));
  const std::string count = std::to_string(distinct.size() - refused) + " of " +
                            std::to_string(distinct.size()) + " buffers";
  record(refused == 0 ? "registered" : "not registered",
         refused == 0 ? count : count + "; the others are copied: " + first);
  return told;
}

void Captures::end(bool ok) {
  const std::vector<Piece> calls = std::move(pending_);
  pending_.clear();
  if (!ok) return;
  const uint64_t count = calls.size();
  const uint32_t begin = used_;
  used_ += static_cast<uint32_t>(count);
  std::vector<uint64_t> counts(group_.size());
  group_.all_gather(&count, sizeof(count), counts.data());
  // Ranks that were in different phases have captured different calls.
  if (std::any_of(counts.begin(), counts.end(), [&](uint64_t other) { return other != count; })) {
    record("not registered", "the ranks have captured different numbers of calls");
    return;
  }
  if (count == 0) return;
  // Many calls of a model use the same few buffers.
  const std::vector<uint32_t> firsts = first_alike(calls);
  std::vector<Piece> distinct;
  std::vector<size_t> place(count);
  for (uint32_t i = 0; i < count; ++i) {
    if (firsts[i] == i) distinct.push_back(calls[i]);
    place[i] = firsts[i] == i ? distinct.size() - 1 : place[firsts[i]];
  }
  const std::vector<Word> told = register_all(distinct);
  std::vector<Word> words(count);
  for (uint32_t i = 0; i < count; ++i) words[i] = told[place[i]];
  words_.write(kToldAt + begin * sizeof(Word), words);
  // No replay tells of what a peer has not entered yet.
  const uint32_t done = 1;
  std::vector<uint32_t> all(group_.size());
  group_.all_gather(&done, sizeof(done), all.data());
}

}  // namespace muster::cuda_peer

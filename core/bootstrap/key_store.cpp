#include "core/bootstrap/key_store.hpp"

#include <fmt/format.h>

#include <charconv>

namespace muster {
namespace {

// Of "m/7/0#3" 3; 0: it does not say.
uint32_t readers_of(const std::string& key) {
  const size_t mark = key.rfind('#');
  if (mark == std::string::npos) return 0;
  uint32_t readers = 0;
  const char* const end = key.data() + key.size();
  const auto [stop, error] = std::from_chars(key.data() + mark + 1, end, readers);
  return error == std::errc() && stop == end ? readers : 0;
}

}  // namespace

KeyStore::KeyStore(uint32_t size) : ranks_(size) {}

uint32_t KeyStore::open(uint32_t rank) {
  Rank& opener = ranks_[rank];
  ++opener.inside;
  Generation& generation = generations_[++opener.opened];
  generation.left.resize(size());
  return opener.opened;
}

void KeyStore::leave(uint32_t generation, uint32_t rank) {
  auto found = generations_.find(generation);
  if (found == generations_.end() || found->second.left[rank]) return;
  found->second.left[rank] = true;
  --ranks_[rank].inside;
  forget_if_over(generation);
}

void KeyStore::lose(uint32_t rank, std::string cause) {
  if (ranks_[rank].lost) return;
  ranks_[rank].lost = std::move(cause);
  for (auto it = generations_.begin(); it != generations_.end();) {
    uint32_t generation = (it++)->first;
    forget_if_over(generation);
  }
}

void KeyStore::forget_if_over(uint32_t generation) {
  const Generation& candidate = generations_.at(generation);
  for (uint32_t rank = 0; rank < size(); ++rank) {
    if (!candidate.left[rank] && !ranks_[rank].lost) return;
  }
  generations_.erase(generation);
}

Status KeyStore::put(uint32_t generation, uint32_t rank, std::string key, std::string value) {
  auto found = generations_.find(generation);
  if (found == generations_.end() || found->second.left[rank]) {
    return Status(MUSTER_FAILED_PRECONDITION,
                  fmt::format("rank {} puts key '{}' into a world that it has left", rank, key));
  }
  auto shared = std::make_shared<const std::string>(std::move(value));
  const Held held{std::move(shared), readers_of(key)};
  auto [at, inserted] = found->second.values.try_emplace({rank, std::move(key)}, held);
  if (!inserted) {
    return Status(MUSTER_INVALID_ARGUMENT,
                  fmt::format("rank {} puts key '{}' a second time", rank, at->first.second),
                  "put each key once");
  }
  return Status();
}

size_t KeyStore::held() const {
  size_t count = 0;
  for (const auto& [number, generation] : generations_) count += generation.values.size();
  return count;
}

Result<KeyStore::Value> KeyStore::get(uint32_t generation, uint32_t from_rank,
                                      const std::string& key) {
  if (from_rank >= size()) {
    return Status(MUSTER_INVALID_ARGUMENT,
                  fmt::format("rank {} is outside the world of {}", from_rank, size()));
  }
  auto found = generations_.find(generation);
  if (found == generations_.end()) {
    return Status(MUSTER_FAILED_PRECONDITION,
                  fmt::format("key '{}' is asked of a world that is over", key));
  }
  auto& values = found->second.values;
  const auto held = values.find({from_rank, key});
  if (held != values.end()) {
    Value value = held->second.value;
    if (held->second.readers > 0 && --held->second.readers == 0) values.erase(held);
    return value;
  }
  if (found->second.left[from_rank]) {
    return Status(MUSTER_PEER_LOST,
                  fmt::format("rank {} has left the world without giving '{}'", from_rank, key));
  }
  if (ranks_[from_rank].lost) {
    return Status(MUSTER_PEER_LOST,
                  fmt::format("rank {} is gone: {}", from_rank, *ranks_[from_rank].lost));
  }
  return Value();
}

}  // namespace muster

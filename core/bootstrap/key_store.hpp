// What the ranks of one world have put, who has left, and who is lost: the table behind the local
// and the threads bootstraps.
//
// A world may be joined several times in one life of its ranks; every rank's k-th opening is
// generation k, and generations never see each other's keys. A generation's values go when every
// rank has left it; before that, the value of a key that ends in "#<n>" goes with its n-th reader,
// so that a world that exchanges for days stays small. Not thread-safe. Equivalent to the key-value
// space of a PMI server.
#ifndef MUSTER_CORE_BOOTSTRAP_KEY_STORE_HPP
#define MUSTER_CORE_BOOTSTRAP_KEY_STORE_HPP

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/status.hpp"

namespace muster {

class KeyStore {
 public:
  using Value = std::shared_ptr<const std::string>;

  explicit KeyStore(uint32_t size);

  uint32_t size() const { return static_cast<uint32_t>(ranks_.size()); }
  // Joins; the generation that the caller is now in.
  uint32_t open(uint32_t rank);
  void leave(uint32_t generation, uint32_t rank);
  // The rank is gone for good, from every generation; cause: "its process was killed".
  void lose(uint32_t rank, std::string cause);
  // True when it has opened no generation that it has not left.
  bool has_left_all(uint32_t rank) const { return ranks_[rank].inside == 0; }

  Status put(uint32_t generation, uint32_t rank, std::string key, std::string value);
  // The value, or NULL when a later put can still bring it, or why it never comes. What a rank put
  // before it went stays readable.
  Result<Value> get(uint32_t generation, uint32_t from_rank, const std::string& key);
  // How many values are held.
  size_t held() const;

 private:
  struct Rank {
    uint32_t opened = 0;
    uint32_t inside = 0;
    std::optional<std::string> lost;
  };
  struct Held {
    Value value;
    uint32_t readers;  // that have not come yet, 0: not counted
  };
  struct Generation {
    std::map<std::pair<uint32_t, std::string>, Held> values;
    std::vector<bool> left;  // by rank
  };
  void forget_if_over(uint32_t generation);

  std::vector<Rank> ranks_;
  std::map<uint32_t, Generation> generations_;
};

}  // namespace muster

#endif

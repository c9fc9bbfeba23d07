// A dictionary of tensors and small values: entries by name, in the order in which they were added.
//
// Owns names, shapes, values, and what it allocated itself; other tensors are the program's. One
// thread at a time. As a torch state dict.
#ifndef MUSTER_CORE_TENSORS_DICT_HPP
#define MUSTER_CORE_TENSORS_DICT_HPP

#include <cstdint>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/status.hpp"
#include "muster/tensors.h"

namespace muster {

inline constexpr uint64_t kMostValueBytes = uint64_t{64} << 10;

struct DictEntry {
  struct Free {
    void operator()(void* pointer) const { std::free(pointer); }
  };

  std::string name;
  muster_dict_kind kind = MUSTER_DICT_VALUE;
  muster_dtype dtype = MUSTER_DTYPE_NONE;
  muster_memory memory = MUSTER_MEMORY_DEFAULT;
  std::vector<uint64_t> shape;
  void* data = nullptr;
  uint64_t bytes = 0;
  std::unique_ptr<void, Free> owned;  // data, where it is the dictionary's

  bool is_tensor() const { return kind == MUSTER_DICT_TENSOR; }
  // Host memory of its own for its bytes; false when there is none.
  bool own_memory();
  muster_dict_entry view() const;
  // "f32 [2, 3] in host memory", "a value".
  std::string text() const;
};

// An entry without data; INVALID_ARGUMENT or OUT_OF_RANGE says what is wrong with it.
Result<DictEntry> make_tensor(std::string_view name, const uint64_t* shape, uint32_t dims,
                              muster_dtype dtype, muster_memory memory);
Result<DictEntry> make_value(std::string_view name, const void* data, uint64_t bytes);

}  // namespace muster

struct muster_dict {
 public:
  muster::Status add(muster::DictEntry entry);
  const muster::DictEntry* find(std::string_view name) const;
  muster::DictEntry* find(std::string_view name);
  // The entry's name nearest to one that is not there, or "".
  std::string_view nearest(std::string_view name) const;

  size_t size() const { return entries_.size(); }
  std::deque<muster::DictEntry>& entries() { return entries_; }
  const std::deque<muster::DictEntry>& entries() const { return entries_; }

 private:
  std::deque<muster::DictEntry> entries_;  // stable addresses: the index refers to the names
  std::unordered_map<std::string_view, size_t> by_name_;
};

#endif

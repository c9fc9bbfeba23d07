#include "core/tensors/dict.hpp"

#include <fmt/format.h>

#include <cstring>

#include "core/base/names.hpp"
#include "core/tensors/shape.hpp"

namespace muster {

bool DictEntry::own_memory() {
  constexpr uint64_t kLine = 64;
  if (bytes > SIZE_MAX - kLine) return false;
  owned.reset(std::aligned_alloc(kLine, (bytes + kLine - 1) / kLine * kLine));
  data = owned.get();
  return data != nullptr;
}

muster_dict_entry DictEntry::view() const {
  muster_dict_entry out{};
  out.struct_size = MUSTER_DICT_ENTRY_SIZE;
  out.kind = kind;
  out.dtype = dtype;
  out.memory = memory;
  out.dims = static_cast<uint32_t>(shape.size());
  out.name = name.c_str();
  out.shape = shape.data();
  out.data = data;
  out.bytes = bytes;
  return out;
}

std::string DictEntry::text() const {
  if (!is_tensor()) return "a value";
  return fmt::format("{} {} in {} memory", dtype_name(dtype), shape_text(shape),
                     memory_name(memory));
}

Result<DictEntry> make_tensor(std::string_view name, const uint64_t* shape, uint32_t dims,
                              muster_dtype dtype, muster_memory memory) {
  const auto wrong = [&](muster_code code, const std::string& what, const std::string& remedy) {
    return Status(code, fmt::format("tensor '{}': {}", name, what), remedy);
  };
  if (dims > MUSTER_MAX_DIMS) {
    return wrong(MUSTER_INVALID_ARGUMENT, fmt::format("{} dimensions", dims),
                 fmt::format("give at most {}", MUSTER_MAX_DIMS));
  }
  if (shape == nullptr && dims != 0)
    return wrong(MUSTER_INVALID_ARGUMENT, "shape is NULL", "give one size per dimension");
  if (dtype_size(dtype) == 0) {
    return wrong(MUSTER_INVALID_ARGUMENT, fmt::format("dtype {} is unknown", dtype),
                 fmt::format("use one of {}", all_dtype_names()));
  }
  if (memory == MUSTER_MEMORY_DEFAULT || memory >= MUSTER_MEMORY_END) {
    return wrong(MUSTER_INVALID_ARGUMENT,
                 fmt::format("memory kind {} is none that a tensor can be in", memory),
                 fmt::format("say where it is: one of {}", all_memory_names()));
  }
  DictEntry entry;
  entry.name = name;
  entry.kind = MUSTER_DICT_TENSOR;
  entry.dtype = dtype;
  entry.memory = memory;
  entry.shape.assign(shape, shape + dims);
  const std::optional<uint64_t> bytes = bytes_of(entry.shape, dtype);
  if (!bytes) {
    return wrong(MUSTER_OUT_OF_RANGE,
                 fmt::format("{} {} does not fit in 63 bits of bytes", dtype_name(dtype),
                             shape_text(entry.shape)),
                 "look for a negative number that became unsigned");
  }
  entry.bytes = *bytes;
  return entry;
}

Result<DictEntry> make_value(std::string_view name, const void* data, uint64_t bytes) {
  if (bytes > kMostValueBytes) {
    return Status(
        MUSTER_INVALID_ARGUMENT,
        fmt::format("value '{}' has {} bytes, more than {}", name, bytes, kMostValueBytes),
        "add it as a tensor of u8");
  }
  DictEntry entry;
  entry.name = name;
  entry.bytes = bytes;
  if (bytes == 0) return entry;
  if (!entry.own_memory()) throw std::bad_alloc();
  std::memcpy(entry.data, data, bytes);
  return entry;
}

}  // namespace muster

muster::Status muster_dict::add(muster::DictEntry entry) {
  if (by_name_.count(entry.name) != 0) {
    return muster::Status(MUSTER_INVALID_ARGUMENT,
                          fmt::format("the dictionary has an entry '{}' already", entry.name),
                          "give every entry a name of its own");
  }
  entries_.push_back(std::move(entry));
  by_name_.emplace(entries_.back().name, entries_.size() - 1);
  return muster::Status();
}

const muster::DictEntry* muster_dict::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &entries_[found->second];
}

muster::DictEntry* muster_dict::find(std::string_view name) {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &entries_[found->second];
}

std::string_view muster_dict::nearest(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const muster::DictEntry& entry : entries_) names.push_back(entry.name);
  return muster::nearest_name(name, names);
}

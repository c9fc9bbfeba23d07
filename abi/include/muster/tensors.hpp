// C++17, header-only, over tensors.h: collectives along a dimension, objects whose length the
// receiver learns, dictionaries of tensors. In the manner of muster.hpp.
//
//   Dict state;
//   if (group.rank() == 0) state.add("layers/0/weight", weight.data(), {rows, columns});
//   broadcast_dict(group, state, 0);                    // elsewhere the dictionary gets memory
//   std::string text = broadcast_object(group, text_of_root, 0);
#ifndef MUSTER_TENSORS_HPP
#define MUSTER_TENSORS_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "muster/muster.hpp"
#include "muster/tensors.h"

namespace muster::api {

using Shape = std::vector<uint64_t>;

// ---- along a dimension ----

inline void all_gather_dim(Group& group, const void* send, void* recv, const Shape& shape,
                           uint32_t dim, muster_dtype dtype, const Options& options = {}) {
  check(muster_all_gather_dim(group.get(), send, recv, shape.data(),
                              static_cast<uint32_t>(shape.size()), dim, dtype, &options));
}
inline void gather_dim(Group& group, const void* send, void* recv, const Shape& shape, uint32_t dim,
                       muster_dtype dtype, uint32_t root, const Options& options = {}) {
  check(muster_gather_dim(group.get(), send, recv, shape.data(),
                          static_cast<uint32_t>(shape.size()), dim, dtype, root, &options));
}
inline void reduce_scatter_dim(Group& group, const void* send, void* recv, const Shape& shape,
                               uint32_t dim, muster_dtype dtype, muster_redop redop,
                               const Options& options = {}) {
  check(muster_reduce_scatter_dim(group.get(), send, recv, shape.data(),
                                  static_cast<uint32_t>(shape.size()), dim, dtype, redop,
                                  &options));
}
template <typename T, detail::if_element<T> = 0>
void all_gather_dim(Group& group, const detail::same<T>* send, T* recv, const Shape& shape,
                    uint32_t dim, const Options& options = {}) {
  all_gather_dim(group, send, recv, shape, dim, dtype_of<T>(), options);
}
template <typename T, detail::if_element<T> = 0>
void gather_dim(Group& group, const T* send, detail::same<T>* recv, const Shape& shape,
                uint32_t dim, uint32_t root, const Options& options = {}) {
  gather_dim(group, send, recv, shape, dim, dtype_of<T>(), root, options);
}
template <typename T, detail::if_element<T> = 0>
void reduce_scatter_dim(Group& group, const detail::same<T>* send, T* recv, const Shape& shape,
                        uint32_t dim, muster_redop redop, const Options& options = {}) {
  reduce_scatter_dim(group, send, recv, shape, dim, dtype_of<T>(), redop, options);
}

// ---- opaque bytes ----

namespace detail {

// Where a muster_bytes_sink puts bytes; no exception may pass through the C function that calls it.
struct Received {
  std::vector<std::byte> bytes;
  std::exception_ptr failure;

  static void take(void* context, uint32_t, const void* data, uint64_t size) {
    Received& received = *static_cast<Received*>(context);
    try {
      const std::byte* const first = static_cast<const std::byte*>(data);
      if (size != 0) received.bytes.assign(first, first + size);
    } catch (...) {
      received.failure = std::current_exception();
    }
  }
  std::vector<std::byte> give() {
    if (failure) std::rethrow_exception(failure);
    return std::move(bytes);
  }
};

}  // namespace detail

// Root's bytes on every rank; what the others give is not read.
inline std::vector<std::byte> broadcast_bytes(Group& group, const void* data, uint64_t bytes,
                                              uint32_t root) {
  detail::Received received;
  check(muster_broadcast_bytes(group.get(), data, bytes, root, detail::Received::take, &received));
  return received.give();
}
inline void send_bytes(Group& group, const void* data, uint64_t bytes, uint32_t peer) {
  check(muster_send_bytes(group.get(), data, bytes, peer));
}
inline std::vector<std::byte> recv_bytes(Group& group, uint32_t peer) {
  detail::Received received;
  check(muster_recv_bytes(group.get(), peer, detail::Received::take, &received));
  return received.give();
}

// ---- objects: trivially copyable ones, std::string, std::vector of trivially copyable ones ----

namespace detail {

[[noreturn]] inline void wrong_object(uint64_t bytes, uint64_t element) {
  throw Error(MUSTER_MISMATCH,
              "an object of " + std::to_string(bytes) + " bytes is none of elements of " +
                  std::to_string(element),
              "give one type on both sides");
}

template <typename T>
struct ObjectBytes {
  static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>,
                "give a trivially copyable object, a string, or a vector of such objects");
  static const void* data(const T& object) { return &object; }
  static uint64_t size(const T&) { return sizeof(T); }
  static T read(const void* data, uint64_t bytes) {
    if (bytes != sizeof(T)) wrong_object(bytes, sizeof(T));
    T object;
    std::memcpy(&object, data, sizeof(T));
    return object;
  }
};

template <typename Sequence>
struct SequenceBytes {
  using Element = typename Sequence::value_type;
  static_assert(std::is_trivially_copyable_v<Element> && !std::is_pointer_v<Element>,
                "the elements must be trivially copyable");
  static const void* data(const Sequence& object) { return object.data(); }
  static uint64_t size(const Sequence& object) { return object.size() * sizeof(Element); }
  static Sequence read(const void* data, uint64_t bytes) {
    if (bytes % sizeof(Element) != 0) wrong_object(bytes, sizeof(Element));
    Sequence object(bytes / sizeof(Element), Element{});
    if (bytes != 0) std::memcpy(object.data(), data, bytes);
    return object;
  }
};
template <>
struct ObjectBytes<std::string> : SequenceBytes<std::string> {};
template <typename T>
struct ObjectBytes<std::vector<T>> : SequenceBytes<std::vector<T>> {};

}  // namespace detail

// Root's object on every rank.
template <typename T>
T broadcast_object(Group& group, const T& own, uint32_t root) {
  using Bytes = detail::ObjectBytes<T>;
  const std::vector<std::byte> got =
      broadcast_bytes(group, Bytes::data(own), Bytes::size(own), root);
  return Bytes::read(got.data(), got.size());
}
template <typename T>
void send_object(Group& group, const T& object, uint32_t peer) {
  using Bytes = detail::ObjectBytes<T>;
  send_bytes(group, Bytes::data(object), Bytes::size(object), peer);
}
template <typename T>
T recv_object(Group& group, uint32_t peer) {
  const std::vector<std::byte> got = recv_bytes(group, peer);
  return detail::ObjectBytes<T>::read(got.data(), got.size());
}

// ---- dictionaries ----

struct DictOptions : muster_dict_options {
  DictOptions() : muster_dict_options{} { struct_size = MUSTER_DICT_OPTIONS_SIZE; }
};

// Names of nested dictionaries: path("layers", "0", "weight") is "layers/0/weight".
template <typename... Parts>
std::string path(std::string_view first, const Parts&... rest) {
  std::string out(first);
  ((out += '/', out += rest), ...);
  return out;
}

class Dict : public detail::Owner<muster_dict, muster_dict_release> {
 public:
  Dict() {
    muster_dict* out = nullptr;
    check(muster_dict_create(&out));
    handle_.reset(out);
  }

  void add(const std::string& name, void* data, const Shape& shape, muster_dtype dtype,
           muster_memory memory = MUSTER_HOST) {
    check(muster_dict_add_tensor(get(), name.c_str(), data, shape.data(),
                                 static_cast<uint32_t>(shape.size()), dtype, memory));
  }
  // In host memory. Without further parameters: a memory kind and a dtype look the same.
  template <typename T, detail::if_element<T> = 0>
  void add(const std::string& name, T* data, const Shape& shape) {
    add(name, static_cast<void*>(data), shape, dtype_of<T>());
  }
  template <typename T>
  void add_value(const std::string& name, const T& object) {
    using Bytes = detail::ObjectBytes<T>;
    check(muster_dict_add_value(get(), name.c_str(), Bytes::data(object), Bytes::size(object)));
  }

  uint64_t size() const { return muster_dict_count(get()); }
  // Pointers in an entry are the dictionary's, valid until it changes.
  muster_dict_entry at(uint64_t index) const {
    muster_dict_entry out = {};
    out.struct_size = MUSTER_DICT_ENTRY_SIZE;
    check(muster_dict_at(get(), index, &out));
    return out;
  }
  // Throws NOT_FOUND.
  muster_dict_entry find(const std::string& name) const {
    muster_dict_entry out = {};
    out.struct_size = MUSTER_DICT_ENTRY_SIZE;
    check(muster_dict_find(get(), name.c_str(), &out));
    return out;
  }
  template <typename T>
  T value(const std::string& name) const {
    const muster_dict_entry entry = find(name);
    if (entry.kind != MUSTER_DICT_VALUE)
      throw Error(MUSTER_INVALID_ARGUMENT, "'" + name + "' is a tensor, not a value", "use find");
    return detail::ObjectBytes<T>::read(entry.data, entry.bytes);
  }
  // The entries of a nested dictionary, in order.
  std::vector<muster_dict_entry> under(const std::string& prefix) const {
    std::vector<muster_dict_entry> out;
    const std::string begin = prefix + "/";
    for (uint64_t i = 0; i < size(); ++i) {
      const muster_dict_entry entry = at(i);
      if (std::string_view(entry.name).substr(0, begin.size()) == begin) out.push_back(entry);
    }
    return out;
  }
};

inline void broadcast_dict(Group& group, Dict& dict, uint32_t root,
                           const DictOptions& options = {}) {
  check(muster_broadcast_dict(group.get(), dict.get(), root, &options));
}
inline void send_dict(Group& group, const Dict& dict, uint32_t peer,
                      const DictOptions& options = {}) {
  check(muster_send_dict(group.get(), dict.get(), peer, &options));
}
inline void recv_dict(Group& group, Dict& dict, uint32_t peer, const DictOptions& options = {}) {
  check(muster_recv_dict(group.get(), dict.get(), peer, &options));
}

}  // namespace muster::api

#endif

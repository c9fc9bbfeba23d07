// The generic kernels of family host_reduce/1: one template per (element, reduce operation), in the
// form that the compiler vectorises for whatever it is told to compile for. Private to the kernels.
//
// Elements are taken in blocks that stay in the nearest cache: the block's values are combined with
// one source after the other, in rank order at every position, and rounded once at the end. A block
// is read from every source before it is written, so dst may be one of them.
#ifndef MUSTER_CORE_KERNELS_HOST_REDUCE_HPP
#define MUSTER_CORE_KERNELS_HOST_REDUCE_HPP

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "core/kernels/elements.hpp"
#include "muster/kernels.h"

namespace muster::kernels {

inline constexpr uint64_t kBlock = 1024;

template <typename Stored>
Stored load_at(const void* base, uint64_t index) {
  Stored stored;
  std::memcpy(&stored, static_cast<const unsigned char*>(base) + index * sizeof(Stored),
              sizeof(Stored));
  return stored;
}

template <typename Stored>
void store_at(void* base, uint64_t index, Stored stored) {
  std::memcpy(static_cast<unsigned char*>(base) + index * sizeof(Stored), &stored, sizeof(Stored));
}

template <typename Element, muster_redop kRedop>
void host_reduce(void* dst, const void* const* sources, uint32_t n, uint64_t count,
                 const void* scalar, uint64_t divisor) {
  using Stored = typename Element::Stored;
  using Value = typename Element::Value;
  constexpr bool kLogical = kRedop >= MUSTER_LAND;
  Value block[kBlock];
  for (uint64_t start = 0; start < count; start += kBlock) {
    const uint64_t length = std::min(kBlock, count - start);
    const auto load = [&](uint32_t source, uint64_t i) {
      return Element::load(load_at<Stored>(sources[source], start + i));
    };
    if (kRedop == MUSTER_SUM && scalar != nullptr) {
      const Value factor = Element::load(load_at<Stored>(scalar, 0));
      for (uint64_t i = 0; i < length; ++i) block[i] = Element::multiply(load(0, i), factor);
      for (uint32_t s = 1; s < n; ++s) {
        for (uint64_t i = 0; i < length; ++i) {
          block[i] = combine<Element, kRedop>(block[i], Element::multiply(load(s, i), factor));
        }
      }
    } else {
      for (uint64_t i = 0; i < length; ++i) {
        // A logical result is 0 or 1 also when there is nothing to combine with.
        if constexpr (kLogical) {
          block[i] = static_cast<Value>(load(0, i) != 0);
        } else {
          block[i] = load(0, i);
        }
      }
      for (uint32_t s = 1; s < n; ++s) {
        for (uint64_t i = 0; i < length; ++i) {
          block[i] = combine<Element, kRedop>(block[i], load(s, i));
        }
      }
    }
    if (kRedop == MUSTER_AVG && divisor > 1) {
      for (uint64_t i = 0; i < length; ++i) block[i] = Element::divide(block[i], divisor);
    }
    for (uint64_t i = 0; i < length; ++i) store_at(dst, start + i, Element::store(block[i]));
  }
}

// The kernel of one element type for a reduce operation, NULL where it is not defined.
template <typename Element>
muster_host_reduce host_reduce_of(muster_redop redop) {
  switch (redop) {
    case MUSTER_SUM:
      return &host_reduce<Element, MUSTER_SUM>;
    case MUSTER_PROD:
      return &host_reduce<Element, MUSTER_PROD>;
    case MUSTER_MIN:
      return &host_reduce<Element, MUSTER_MIN>;
    case MUSTER_MAX:
      return &host_reduce<Element, MUSTER_MAX>;
    case MUSTER_AVG:
      return &host_reduce<Element, MUSTER_AVG>;
    default:
      break;
  }
  if constexpr (std::is_integral_v<typename Element::Value>) {
    switch (redop) {
      case MUSTER_BAND:
        return &host_reduce<Element, MUSTER_BAND>;
      case MUSTER_BOR:
        return &host_reduce<Element, MUSTER_BOR>;
      case MUSTER_BXOR:
        return &host_reduce<Element, MUSTER_BXOR>;
      case MUSTER_LAND:
        return &host_reduce<Element, MUSTER_LAND>;
      case MUSTER_LOR:
        return &host_reduce<Element, MUSTER_LOR>;
      case MUSTER_LXOR:
        return &host_reduce<Element, MUSTER_LXOR>;
      default:
        break;
    }
  }
  return nullptr;
}

// Compiled apart, for each of the two kinds of element; NULL for a dtype of the other kind.
muster_host_reduce integer_host_reduce(muster_dtype dtype, muster_redop redop);
muster_host_reduce floating_host_reduce(muster_dtype dtype, muster_redop redop);

}  // namespace muster::kernels

#endif

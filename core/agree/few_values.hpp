// Elements that take one of a few values: written, and compared bit for bit, at about the speed of
// memory, since operands of an exercise may have many millions of them.
//
// pick(i) says which of the values element i has. Any thread.
#ifndef MUSTER_CORE_AGREE_FEW_VALUES_HPP
#define MUSTER_CORE_AGREE_FEW_VALUES_HPP

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/agree/test_values.hpp"
#include "core/base/names.hpp"

namespace muster {

class FewValues {
 public:
  static constexpr uint32_t kMost = 3;
  using Values = std::array<double, kMost>;

  FewValues(muster_dtype dtype, const Values& values) : size_(dtype_size(dtype)) {
    for (uint32_t k = 0; k < kMost; ++k) {
      is_exact_ = is_exact_ && std::abs(values[k]) < 0x1p53 && values[k] == std::trunc(values[k]);
      if (is_exact_) store_value(dtype, elements_[k].data(), 0, static_cast<int64_t>(values[k]));
    }
  }

  // False: not integers that are sure to be told exactly; nothing is compared then.
  bool is_exact() const { return is_exact_; }

  template <typename Pick>
  void write(void* base, uint64_t count, Pick pick) const {
    with_width([&](auto width) {
      auto* at = static_cast<char*>(base);
      for (uint64_t i = 0; i < count; ++i, at += width())
        std::memcpy(at, elements_[pick(i)].data(), width());
    });
  }
  // The first element of [from, count) that differs; count: none does.
  template <typename Pick>
  uint64_t first_other(const void* base, uint64_t from, uint64_t count, Pick pick) const {
    if (!is_exact_) return from;
    uint64_t i = from;
    with_width([&](auto width) {
      const char* at = static_cast<const char*>(base) + from * width();
      while (i < count && std::memcmp(at, elements_[pick(i)].data(), width()) == 0) {
        ++i;
        at += width();
      }
    });
    return i;
  }

 private:
  template <uint32_t Width>
  struct Bytes {
    constexpr uint32_t operator()() const { return Width; }
  };
  // So that an element is moved by one instruction.
  template <typename Body>
  void with_width(Body body) const {
    if (size_ == 1) body(Bytes<1>());
    if (size_ == 2) body(Bytes<2>());
    if (size_ == 4) body(Bytes<4>());
    if (size_ == 8) body(Bytes<8>());
  }

  uint64_t size_;
  bool is_exact_ = true;
  std::array<std::array<char, 8>, kMost> elements_{};
};

}  // namespace muster

#endif

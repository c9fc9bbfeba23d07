#include "core/kernels/exam.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include "core/base/names.hpp"
#include "core/kernels/exam_values.hpp"
#include "core/kernels/registry.hpp"
#include "core/kernels/variant_build.hpp"

namespace muster {
namespace {

using Bytes = std::vector<unsigned char>;

// Memory for `bytes` bytes that begin `shift` bytes behind a line; what is around them is watched.
class Target {
 public:
  Target(uint64_t bytes, uint64_t shift) : bytes_(bytes), memory_(bytes + 3 * kLine, kMark) {
    unsigned char* const begin = memory_.data();
    first_ = begin + (kLine - reinterpret_cast<uintptr_t>(begin) % kLine) + shift;
  }
  Target(const Bytes& content, uint64_t shift) : Target(content.size(), shift) {
    if (bytes_ != 0) std::memcpy(first_, content.data(), bytes_);
  }
  unsigned char* data() const { return first_; }
  bool untouched_around() const {
    const auto marked = [](const unsigned char* from, const unsigned char* to) {
      return std::all_of(from, to, [](unsigned char c) { return c == kMark; });
    };
    return marked(memory_.data(), first_) &&
           marked(first_ + bytes_, memory_.data() + memory_.size());
  }

 private:
  static constexpr uint64_t kLine = 64;
  static constexpr unsigned char kMark = 0xa5;
  uint64_t bytes_;
  mutable Bytes memory_;
  unsigned char* first_ = nullptr;
};

std::string hex(const unsigned char* at, uint64_t size) {
  std::string text;
  for (uint64_t i = size; i-- > 0;) text += fmt::format("{:02x}", at[i]);
  return text;
}

// "" when both are the same, else the first element that is not.
std::string compare(muster_dtype dtype, const Target& expected, const Target& got, uint64_t count,
                    const std::string& where) {
  const uint64_t size = muster_dtype_size(dtype);
  for (uint64_t i = 0; i < count; ++i) {
    const unsigned char* const right = expected.data() + i * size;
    const unsigned char* const wrong = got.data() + i * size;
    if (same_element(dtype, right, wrong)) continue;
    return fmt::format("element {} of {} {} is 0x{}, it should be 0x{}", i, count, where,
                       hex(wrong, size), hex(right, size));
  }
  return got.untouched_around() ? ""
                                : fmt::format("it writes beyond its {} elements {}", count, where);
}

struct ReduceCase {
  uint32_t n;
  uint64_t count;
  uint64_t shift;   // of every operand, in bytes from the beginning of a line
  uint32_t target;  // the source that dst is; n: none
  bool scaled;
};

constexpr ReduceCase kReduceCases[] = {
    {1, 131, 0, 1, false}, {2, 1029, 0, 2, false}, {2, 1031, 4, 0, false}, {2, 517, 1, 1, false},
    {3, 67, 8, 3, false},  {4, 2051, 0, 0, false}, {5, 259, 3, 4, false},  {6, 97, 16, 6, false},
    {7, 33, 0, 2, false},  {8, 301, 0, 8, false},  {9, 1100, 5, 3, false}, {17, 43, 0, 17, false},
    {2, 0, 0, 2, false},   {2, 1, 7, 0, false},    {3, 9, 2, 3, false},    {2, 515, 0, 0, true},
    {10, 65, 1, 10, true}};

std::string examine_reduce(muster_host_reduce tested, muster_host_reduce right,
                           const muster_kernel_key& key) {
  for (const ReduceCase& c : kReduceCases) {
    if (c.scaled && key.redop != MUSTER_SUM) continue;
    std::vector<Target> sources;
    std::vector<const void*> pointers;
    for (uint32_t s = 0; s < c.n; ++s) {
      sources.emplace_back(exam_elements(key.dtype, c.count, s), c.shift);
      pointers.push_back(sources.back().data());
    }
    const Bytes scalar = exam_elements(key.dtype, 1, 99);
    const void* const factor = c.scaled ? scalar.data() : nullptr;
    const uint64_t bytes = c.count * muster_dtype_size(key.dtype);
    const Target expected(bytes, 0);
    right(expected.data(), pointers.data(), c.n, c.count, factor, c.n);
    const Target apart(bytes, c.shift);
    const Target& got = c.target == c.n ? apart : sources[c.target];
    tested(got.data(), pointers.data(), c.n, c.count, factor, c.n);
    const std::string wrong = compare(
        key.dtype, expected, got, c.count,
        fmt::format("from {} sources{}{}", c.n, c.scaled ? " with a scalar" : "",
                    c.target == c.n ? "" : fmt::format(", in place of source {}", c.target)));
    if (!wrong.empty()) return wrong;
  }
  return {};
}

std::string examine_reduce_pair(muster_host_reduce_pair tested, muster_host_reduce right,
                                muster_dtype dtype) {
  struct Case {
    uint64_t count;
    uint64_t shift;      // of every operand, in bytes from the beginning of a line
    uint32_t dst, also;  // the source that each is, 2: none
  };
  static constexpr Case kCases[] = {{0, 0, 2, 2},    {1, 7, 0, 1},   {9, 2, 2, 0},
                                    {131, 0, 2, 2},  {517, 1, 1, 0}, {1029, 0, 0, 1},
                                    {1031, 4, 1, 2}, {2051, 8, 0, 2}};
  for (const Case& c : kCases) {
    const Target first(exam_elements(dtype, c.count, 0), c.shift);
    const Target second(exam_elements(dtype, c.count, 1), c.shift);
    const uint64_t bytes = c.count * muster_dtype_size(dtype);
    const Target expected(bytes, 0), apart(bytes, c.shift), also_apart(bytes, c.shift);
    const void* const sources[] = {first.data(), second.data()};
    right(expected.data(), sources, 2, c.count, nullptr, 2);
    const Target* const dst = std::array{&first, &second, &apart}[c.dst];
    const Target* const also = std::array{&first, &second, &also_apart}[c.also];
    tested(dst->data(), also->data(), first.data(), second.data(), c.count, 2);
    for (const auto& [got, name] : {std::pair(dst, "first"), std::pair(also, "second")}) {
      const std::string wrong =
          compare(dtype, expected, *got, c.count, fmt::format("in the {} place", name));
      if (!wrong.empty()) return wrong;
    }
  }
  return {};
}

std::string examine_copy(muster_host_copy tested) {
  for (const uint64_t bytes : {0, 1, 63, 64, 200, 4097, 20000}) {
    for (const uint64_t shift : {0, 1, 48}) {
      const Target from(exam_elements(MUSTER_U8, bytes, bytes), 3);
      const Target to(bytes, shift);
      tested(to.data(), from.data(), bytes);
      const std::string wrong = compare(MUSTER_U8, from, to, bytes, "(bytes)");
      if (!wrong.empty()) return wrong;
    }
  }
  return {};
}

// Rows of plain numbers, and one with what is rare.
struct NormOperands {
  explicit NormOperands(muster_dtype dtype, uint64_t rows, uint64_t hidden)
      : x(exam_elements(dtype, rows * hidden, 1)),
        residual(exam_elements(dtype, rows * hidden, 2)),
        weight(exam_elements(dtype, hidden, 3)) {}
  Bytes x;
  Bytes residual;
  Bytes weight;
};

constexpr uint64_t kRows = 3;
constexpr double kEpsilon = 1e-5;

std::string examine_rmsnorm(muster_host_rmsnorm tested, muster_host_rmsnorm right,
                            muster_dtype dtype) {
  for (const uint64_t hidden : {1, 40, 259}) {
    const NormOperands in(dtype, kRows, hidden);
    const uint64_t bytes = in.x.size();
    for (const bool residual : {false, true}) {
      const Target expected(bytes, 0), expected_sum(bytes, 0), got(bytes, 1), got_sum(bytes, 2);
      const void* const added = residual ? in.residual.data() : nullptr;
      right(expected.data(), expected_sum.data(), in.x.data(), added, in.weight.data(), kRows,
            hidden, kEpsilon);
      tested(got.data(), got_sum.data(), in.x.data(), added, in.weight.data(), kRows, hidden,
             kEpsilon);
      for (const auto& [a, b] : {std::pair(&expected, &got), std::pair(&expected_sum, &got_sum)}) {
        const std::string wrong =
            compare(dtype, *a, *b, kRows * hidden, fmt::format("in rows of {}", hidden));
        if (!wrong.empty()) return wrong;
      }
    }
  }
  return {};
}

std::string examine_rmsnorm_quant(muster_host_rmsnorm_quant tested, muster_host_rmsnorm_quant right,
                                  muster_dtype dtype) {
  constexpr uint64_t kHidden = 264;
  const NormOperands in(dtype, kRows, kHidden);
  for (const uint64_t group : {1, 8, 264}) {
    struct Result {
      explicit Result(uint64_t bytes, uint64_t groups)
          : out(kRows * kHidden, 0), scales(groups * sizeof(float), 0), sum(bytes, 0) {}
      Target out, scales, sum;
    };
    const uint64_t groups = kRows * (kHidden / group);
    const Result expected(in.x.size(), groups), got(in.x.size(), groups);
    const auto run = [&](muster_host_rmsnorm_quant kernel, const Result& result) {
      kernel(result.out.data(), reinterpret_cast<float*>(result.scales.data()), result.sum.data(),
             in.x.data(), in.residual.data(), in.weight.data(), kRows, kHidden, group, kEpsilon);
    };
    run(right, expected);
    run(tested, got);
    const std::string where = fmt::format("in groups of {}", group);
    std::string wrong =
        compare(MUSTER_U8, expected.out, got.out, kRows * kHidden, "(output) " + where);
    if (wrong.empty()) wrong = compare(MUSTER_F32, expected.scales, got.scales, groups, where);
    if (wrong.empty()) wrong = compare(dtype, expected.sum, got.sum, kRows * kHidden, where);
    if (!wrong.empty()) return wrong;
  }
  return {};
}

bool is_word(const char* text) {
  return text != nullptr && *text != '\0' && std::strlen(text) < 64 &&
         std::all_of(text, text + std::strlen(text), [](char c) { return c > ' ' && c < 0x7f; });
}

// "" when the record itself is as it must be.
std::string fault_of_record(const muster_kernel_variant& variant) {
  if (!MUSTER_HAS_FIELD(&variant, muster_kernel_variant, image_bytes))
    return "its struct_size is too small";
  const muster_kernel_key& key = variant.key;
  if (!is_word(key.family)) return "its family is no word";
  if (!is_word(key.algorithm)) return "its algorithm is no word";
  if (!is_word(key.architecture)) return "its architecture is no word";
  if (!is_word(variant.digest)) return "its digest is no word";
  if (variant.score < -100 || variant.score > 100) return "its score is not -100 to 100";
  if (key.dtype >= MUSTER_DTYPE_END || key.redop >= MUSTER_REDOP_END)
    return "this runtime does not know its dtype or reduce operation";
  return {};
}

bool is_builtin_family(std::string_view name) {
  const auto families = builtin_families();
  return std::any_of(families.begin(), families.end(),
                     [&](const BuiltinFamily& family) { return family.name == name; });
}

const char* shown(const char* text) { return text == nullptr ? "?" : text; }

}  // namespace

std::string key_text(const muster_kernel_key& key) {
  std::string text = fmt::format("{} {}", shown(key.family), shown(key.algorithm));
  if (key.dtype != MUSTER_DTYPE_NONE) text += fmt::format(" {}", dtype_name(key.dtype));
  if (key.redop != MUSTER_REDOP_NONE) text += fmt::format(" {}", redop_name(key.redop));
  if (key.world_size != 0) text += fmt::format(" of {}", key.world_size);
  return text + fmt::format(" {}", shown(key.architecture));
}

std::string examine_variant(const muster_kernel_variant& variant) {
  if (std::string fault = fault_of_record(variant); !fault.empty()) return fault;
  muster_kernel_key key = variant.key;
  key.algorithm = nullptr;  // every algorithm of a family gives the same
  key.architecture = nullptr;
  const muster_kernel_function right = find_kernel(key);
  if (right == nullptr) return "this runtime does not know such a kernel";
  if (variant.function == nullptr) return "it has no function";
  const std::string_view family = key.family;
  const auto as = [](auto type, muster_kernel_function function) {
    return reinterpret_cast<decltype(type)>(function);
  };
  if (family == MUSTER_FAMILY_HOST_REDUCE) {
    const muster_host_reduce type = nullptr;
    return examine_reduce(as(type, variant.function), as(type, right), key);
  }
  if (family == MUSTER_FAMILY_HOST_REDUCE_PAIR) {
    const muster_host_reduce_pair type = nullptr;
    return examine_reduce_pair(as(type, variant.function), host_reduce(key.dtype, key.redop),
                               key.dtype);
  }
  if (family == MUSTER_FAMILY_HOST_COPY)
    return examine_copy(as(muster_host_copy{}, variant.function));
  if (family == MUSTER_FAMILY_HOST_RMSNORM) {
    const muster_host_rmsnorm type = nullptr;
    return examine_rmsnorm(as(type, variant.function), as(type, right), key.dtype);
  }
  const muster_host_rmsnorm_quant type = nullptr;
  return examine_rmsnorm_quant(as(type, variant.function), as(type, right), key.dtype);
}

bool is_image(const muster_kernel_variant& variant) {
  return variant.function == nullptr && variant.image != nullptr && variant.image_bytes > 0 &&
         fault_of_record(variant).empty();
}

std::string image_line(const muster_kernel_variant& variant) {
  const muster_kernel_key& key = variant.key;
  return DeclaredVariant{
             key.family, key.algorithm, key.architecture, key.dtype, key.redop, key.world_size, "",
             ""}
             .name() +
         " " + variant.digest;
}

PackReport examine_pack(const muster_kernels& table, muster_instance* instance) {
  PackReport report;
  std::map<std::string, uint32_t> unknown;  // families, and how many variants each has
  const uint32_t count = table.variant_count(instance);
  for (uint32_t i = 0; i < count; ++i) {
    const muster_kernel_variant* const variant = table.variant(instance, i);
    if (variant == nullptr) {
      report.faults.push_back(fmt::format("variant {} of {}: there is none", i, count));
      continue;
    }
    if (is_image(*variant)) {
      report.images.push_back(image_line(*variant));
      continue;
    }
    std::string fault = fault_of_record(*variant);
    const muster_kernel_key& key = variant->key;
    if (fault.empty() && !is_builtin_family(key.family)) {
      ++unknown[key.family];
      continue;
    }
    if (fault.empty()) fault = examine_variant(*variant);
    if (fault.empty()) {
      KernelGroup group;
      group.family = key.family;
      group.algorithm = key.algorithm;
      group.architecture = key.architecture;
      group.digest = variant->digest;
      group.world_size = key.world_size;
      group.score = variant->score;
      auto known = std::find_if(report.ready.begin(), report.ready.end(),
                                [&](const KernelGroup& other) { return other.alike(group); });
      if (known == report.ready.end()) known = report.ready.insert(known, std::move(group));
      uint32_t& redops = known->redops[key.dtype];
      if ((redops >> key.redop & 1) != 0) fault = "the pack has another variant of this key";
      redops |= 1u << key.redop;
    }
    if (!fault.empty()) report.faults.push_back(fmt::format("{}: {}", key_text(key), fault));
  }
  for (const auto& [family, variants] : unknown) {
    report.faults.push_back(
        fmt::format("{} ({} variants): this runtime does not know the family; a newer one may",
                    family, variants));
  }
  return report;
}

}  // namespace muster

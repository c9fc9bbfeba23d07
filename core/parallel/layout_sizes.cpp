#include "core/parallel/layout_sizes.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "core/base/names.hpp"

namespace muster {
namespace {

struct Key {
  std::string_view name;
  uint32_t muster_layout_sizes::*field;
};

constexpr Key kKeys[] = {
    {"tp", &muster_layout_sizes::tp},
    {"pp", &muster_layout_sizes::pp},
    {"dp", &muster_layout_sizes::dp},
    {"attn_dp", &muster_layout_sizes::attn_dp},
    {"attn_cp", &muster_layout_sizes::attn_cp},
    {"ep", &muster_layout_sizes::ep},
    {"moe_ep", &muster_layout_sizes::ep},
    {"moe_dp", &muster_layout_sizes::moe_dp},
    {"dcp", &muster_layout_sizes::dcp},
    {"shared_experts_tp", &muster_layout_sizes::shared_experts_tp},
};

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

Status wrong(std::string_view word, const std::string& why, const std::string& remedy) {
  return Status(MUSTER_INVALID_ARGUMENT, fmt::format("layout: '{}': {}", word, why), remedy);
}

Status unknown_key(std::string_view word, std::string_view key) {
  if (key == "attn_tp") {
    return wrong(word, "attn_tp is not given, it follows: tp / attn_dp / attn_cp",
                 "give tp, attn_dp and attn_cp");
  }
  if (key == "moe_tp") {
    return wrong(word, "moe_tp is not given, it follows: tp / moe_dp / ep",
                 "give tp, moe_dp and ep");
  }
  std::vector<std::string_view> names;
  for (const Key& known : kKeys) names.push_back(known.name);
  const std::string_view nearest = nearest_name(key, names);
  return wrong(word, fmt::format("there is no size '{}'", key),
               nearest.empty() ? fmt::format("the sizes are {}", fmt::join(names, ", "))
                               : fmt::format("did you mean '{}'?", nearest));
}

Status read_word(std::string_view word, muster_layout_sizes& sizes) {
  const size_t equals = word.find('=');
  if (equals == std::string_view::npos)
    return wrong(word, "is not of the form key=number", "write for instance tp=8,ep=4");
  const std::string_view name = trimmed(word.substr(0, equals));
  const std::string_view number = trimmed(word.substr(equals + 1));
  const Key* key = nullptr;
  for (const Key& known : kKeys) {
    if (known.name == name) key = &known;
  }
  if (key == nullptr) return unknown_key(word, name);
  uint32_t& size = sizes.*key->field;
  if (size != 0) return wrong(word, fmt::format("{} is given twice", name), "give each size once");
  uint32_t value = 0;
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), value, 10);
  if (error != std::errc() || end != number.data() + number.size() || value == 0) {
    return wrong(word, fmt::format("'{}' is not a size", number),
                 "a size is an integer from 1 to 4294967295");
  }
  size = value;
  return Status();
}

Status refused(const std::string& equation) {
  return Status(MUSTER_INVALID_ARGUMENT, "layout: " + equation,
                "tp x pp x dp is the number of ranks; attn_dp x attn_cp, moe_dp x ep, dcp and "
                "shared_experts_tp divide tp");
}

struct Factor {
  std::string_view name;
  uint32_t value;
};

// "tp 8 x pp 2 = 16" and the product; none where it does not fit 64 bits.
struct Product {
  std::string text;
  std::optional<uint64_t> value;
};

Product product_of(std::initializer_list<Factor> factors) {
  Product product{{}, 1};
  for (const Factor& factor : factors) {
    product.text +=
        fmt::format("{}{} {}", product.text.empty() ? "" : " x ", factor.name, factor.value);
    uint64_t next = 0;
    if (product.value && __builtin_mul_overflow(*product.value, factor.value, &next))
      product.value.reset();
    if (product.value) product.value = next;
  }
  return product;
}

std::string equation(const Product& product) {
  return product.value ? fmt::format("{} = {}", product.text, *product.value)
                       : fmt::format("{} is more than 2^64", product.text);
}

// rest = whole / product of the factors, which must divide it.
Status divide(Factor whole, std::initializer_list<Factor> factors, uint32_t& rest) {
  const Product product = product_of(factors);
  if (!product.value || *product.value > whole.value || whole.value % *product.value != 0) {
    return refused(fmt::format("{} does not divide {} {}", product.text, whole.name, whole.value));
  }
  rest = static_cast<uint32_t>(whole.value / *product.value);
  return Status();
}

uint32_t or_one(uint32_t size) { return size == 0 ? 1 : size; }

}  // namespace

Result<muster_layout_sizes> parse_layout(std::string_view text) {
  muster_layout_sizes sizes{};
  sizes.struct_size = MUSTER_LAYOUT_SIZES_SIZE;
  if (trimmed(text).empty()) return sizes;
  while (true) {
    const size_t comma = text.find(',');
    MUSTER_TRY(read_word(trimmed(text.substr(0, comma)), sizes));
    if (comma == std::string_view::npos) return sizes;
    text.remove_prefix(comma + 1);
  }
}

Result<LayoutSizes> complete_layout(const muster_layout_sizes& given, uint32_t world) {
  LayoutSizes sizes;
  sizes.world = world;
  sizes.pp = or_one(given.pp);
  sizes.dp = or_one(given.dp);
  if (world == 0) return refused("a world has at least one rank");
  if (given.tp == 0) {
    MUSTER_TRY(divide({"a world of", world}, {{"pp", sizes.pp}, {"dp", sizes.dp}}, sizes.tp));
  } else {
    sizes.tp = given.tp;
    const Product ranks = product_of({{"tp", sizes.tp}, {"pp", sizes.pp}, {"dp", sizes.dp}});
    if (ranks.value != world)
      return refused(fmt::format("{}, but the world has {} ranks", equation(ranks), world));
  }
  sizes.attn_dp = or_one(given.attn_dp);
  sizes.attn_cp = or_one(given.attn_cp);
  sizes.moe_dp = or_one(given.moe_dp);
  sizes.ep = or_one(given.ep);
  sizes.dcp = or_one(given.dcp);
  sizes.shared_experts_tp = given.shared_experts_tp == 0 ? sizes.tp : given.shared_experts_tp;
  const Factor tp{"tp", sizes.tp};
  uint32_t blocks = 0;
  MUSTER_TRY(divide(tp, {{"attn_dp", sizes.attn_dp}, {"attn_cp", sizes.attn_cp}}, sizes.attn_tp));
  MUSTER_TRY(divide(tp, {{"moe_dp", sizes.moe_dp}, {"ep", sizes.ep}}, sizes.moe_tp));
  MUSTER_TRY(divide(tp, {{"dcp", sizes.dcp}}, blocks));
  MUSTER_TRY(divide(tp, {{"shared_experts_tp", sizes.shared_experts_tp}}, blocks));
  return sizes;
}

std::vector<std::pair<std::string, uint32_t>> named_sizes(const LayoutSizes& sizes) {
  return {{"world", sizes.world},     {"tp", sizes.tp},
          {"pp", sizes.pp},           {"dp", sizes.dp},
          {"attn_dp", sizes.attn_dp}, {"attn_cp", sizes.attn_cp},
          {"attn_tp", sizes.attn_tp}, {"ep", sizes.ep},
          {"moe_dp", sizes.moe_dp},   {"moe_tp", sizes.moe_tp},
          {"dcp", sizes.dcp},         {"shared_experts_tp", sizes.shared_experts_tp}};
}

std::string layout_text(const LayoutSizes& sizes) {
  std::string text;
  for (const auto& [name, size] : named_sizes(sizes))
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", name, size);
  return text;
}

}  // namespace muster

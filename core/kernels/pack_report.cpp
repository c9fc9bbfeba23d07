#include "core/kernels/pack_report.hpp"

#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <numeric>

namespace muster {
namespace {

// The word up to the next space, which is taken off `rest`.
std::string_view next_word(std::string_view& rest) {
  const size_t end = rest.find(' ');
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return word;
}

template <typename Number>
bool read_number(std::string_view text, Number& out, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

bool KernelGroup::alike(const KernelGroup& other) const {
  return family == other.family && algorithm == other.algorithm &&
         architecture == other.architecture && digest == other.digest &&
         world_size == other.world_size && score == other.score;
}

uint32_t KernelGroup::size() const {
  return std::accumulate(redops.begin(), redops.end(), 0u, [](uint32_t sum, uint32_t bits) {
    return sum + static_cast<uint32_t>(std::popcount(bits));
  });
}

std::string write_group(const KernelGroup& group) {
  std::string line = fmt::format("{} {} {} {} {} {}", group.family, group.algorithm,
                                 group.architecture, group.digest, group.world_size, group.score);
  for (size_t dtype = 0; dtype < group.redops.size(); ++dtype) {
    if (group.redops[dtype] != 0) line += fmt::format(" {}:{:x}", dtype, group.redops[dtype]);
  }
  return line;
}

std::optional<KernelGroup> read_group(std::string_view line) {
  KernelGroup group;
  group.family = next_word(line);
  group.algorithm = next_word(line);
  group.architecture = next_word(line);
  group.digest = next_word(line);
  if (group.digest.empty() || !read_number(next_word(line), group.world_size) ||
      !read_number(next_word(line), group.score)) {
    return std::nullopt;
  }
  while (!line.empty()) {
    const std::string_view word = next_word(line);
    const size_t colon = word.find(':');
    size_t dtype = 0;
    uint32_t redops = 0;
    if (colon == std::string_view::npos || !read_number(word.substr(0, colon), dtype) ||
        dtype >= group.redops.size() || !read_number(word.substr(colon + 1), redops, 16)) {
      return std::nullopt;
    }
    group.redops[dtype] = redops;
  }
  return group;
}

}  // namespace muster

#include "core/discover/facts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace muster {
namespace {

constexpr size_t kMostFactBytes = 4096;
constexpr size_t kMostKeyBytes = 63;

bool is_key(std::string_view text) {
  return !text.empty() && text.size() <= kMostKeyBytes &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
         });
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

muster_fact_sink ReportedFacts::sink() {
  muster_fact_sink sink{};
  sink.struct_size = MUSTER_FACT_SINK_SIZE;
  sink.context = this;
  sink.put = [](void* context, const char* key, const char* value) {
    static_cast<ReportedFacts*>(context)->put(key, value);
  };
  return sink;
}

void ReportedFacts::put(const char* key, const char* value) {
  if (!fault_.empty()) return;
  if (key == nullptr || value == nullptr) {
    fault_ = "it reported a fact without key or value";
    return;
  }
  const std::string_view name = key;
  const std::string_view text = value;
  if (!is_key(name)) {
    fault_ = fmt::format(
        "it reported a fact with the key '{}', which is not [a-z0-9_.]+ of {} "
        "characters at most",
        name, kMostKeyBytes);
    return;
  }
  if (std::any_of(text.begin(), text.end(), is_control)) {
    fault_ = fmt::format("its fact {} has a control character", name);
    return;
  }
  const auto [at, fresh] = values_.try_emplace(std::string(name));
  bytes_ += text.size() + (fresh ? name.size() : 0) - at->second.size();
  at->second = text;
  if (bytes_ > kMostFactBytes)
    fault_ = fmt::format("its facts are longer than {} bytes", kMostFactBytes);
}

}  // namespace muster

#include "core/tensors/dict_match.hpp"

#include <fmt/format.h>

#include "core/base/names.hpp"

namespace muster {
namespace {

constexpr size_t kShown = 3;

bool alike(const DictEntry& a, const DictEntry& b) {
  if (a.kind != b.kind) return false;
  return !a.is_tensor() || (a.dtype == b.dtype && a.memory == b.memory && a.shape == b.shape);
}

Status match(muster_dict& described, const muster_dict& own, const std::string& sender) {
  std::string text;
  size_t differences = 0;
  const auto differs = [&](const std::string& what) {
    if (differences++ < kShown) text += (text.empty() ? "" : ", ") + what;
  };
  for (DictEntry& entry : described.entries()) {
    const DictEntry* const mine = own.find(entry.name);
    if (mine == nullptr) {
      differs(fmt::format("'{}' ({}) is missing here", entry.name, entry.text()));
    } else if (!alike(entry, *mine)) {
      differs(fmt::format("'{}' is {} there, {} here", entry.name, entry.text(), mine->text()));
    } else if (entry.is_tensor()) {
      entry.data = mine->data;
    }
  }
  for (const DictEntry& mine : own.entries()) {
    if (described.find(mine.name) == nullptr)
      differs(fmt::format("'{}' ({}) is here only", mine.name, mine.text()));
  }
  if (differences == 0) return Status();
  if (differences > kShown) text += fmt::format(", and {} more", differences - kShown);
  return Status(MUSTER_MISMATCH,
                fmt::format("the dictionary here differs from that of {}: {}", sender, text),
                "no data was moved; give the same entries, or an empty dictionary");
}

Status allocate(DictEntry& entry, const muster_dict_options& options) {
  if (options.allocate != nullptr) {
    const muster_dict_entry view = entry.view();
    entry.data = options.allocate(options.context, &view);
  } else if (entry.memory == MUSTER_HOST) {
    entry.own_memory();
  } else {
    return Status(
        MUSTER_RESOURCE_EXHAUSTED,
        fmt::format("there is no memory for '{}', {}: the runtime allocates host memory only",
                    entry.name, entry.text()),
        "give muster_dict_options.allocate, or a dictionary with tensors of your own");
  }
  if (entry.data != nullptr) return Status();
  return Status(MUSTER_RESOURCE_EXHAUSTED, fmt::format("there is no memory for '{}', {}, {} bytes",
                                                       entry.name, entry.text(), entry.bytes));
}

}  // namespace

Status place_entries(muster_dict& described, const muster_dict& own,
                     const muster_dict_options& options, const std::string& sender) {
  if (own.size() != 0) return match(described, own, sender);
  for (DictEntry& entry : described.entries()) {
    if (entry.is_tensor() && entry.bytes != 0) MUSTER_TRY(allocate(entry, options));
  }
  return Status();
}

void adopt(muster_dict& described, muster_dict& own) {
  if (own.size() == 0) {
    std::swap(described, own);
    return;
  }
  for (DictEntry& entry : described.entries()) {
    if (entry.is_tensor()) continue;
    DictEntry& mine = *own.find(entry.name);
    mine.owned = std::move(entry.owned);
    mine.data = entry.data;
    mine.bytes = entry.bytes;
  }
}

}  // namespace muster

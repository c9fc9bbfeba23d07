#include "core/bootstrap/world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "core/bootstrap/deadline.hpp"

namespace muster {
namespace {

// How long leaving may wait for others.
constexpr std::chrono::seconds kCloseBound{2};

// Takes what a table's get or all_gather hands over. No exception may pass through the table.
struct Gathered {
  std::vector<std::string> parts;
  std::vector<bool> given;
  std::string defect;

  explicit Gathered(size_t count) : parts(count), given(count) {}

  static void take(void* context, uint32_t index, const void* data, uint64_t bytes) {
    auto* self = static_cast<Gathered*>(context);
    try {
      if (index >= self->parts.size()) {
        self->defect = fmt::format("gave index {} of {}", index, self->parts.size());
      } else if (self->given[index]) {
        self->defect = fmt::format("gave index {} twice", index);
      } else {
        self->given[index] = true;
        if (bytes > 0) self->parts[index].assign(static_cast<const char*>(data), bytes);
      }
    } catch (const std::exception&) {
      self->given[index] = false;
    }
  }
};

// The sink of get: one value, whatever index the table names it by.
struct Got {
  std::string bytes;
  bool given = false;

  static void take(void* context, uint32_t, const void* data, uint64_t bytes) {
    auto* self = static_cast<Got*>(context);
    try {
      if (bytes > 0) self->bytes.assign(static_cast<const char*>(data), bytes);
      self->given = true;
    } catch (const std::exception&) {
      self->given = false;
    }
  }
};

Status check_table(const muster_bootstrap* table, const std::string& name) {
  const char* remedy = "fill in the table as muster/bootstrap.h says";
  if (table == nullptr) {
    return Status(MUSTER_INVALID_ARGUMENT, fmt::format("bootstrap {}: there is no table", name),
                  remedy);
  }
  if (!MUSTER_HAS_FIELD(table, muster_bootstrap, close)) {
    return Status(MUSTER_INVALID_ARGUMENT,
                  fmt::format("bootstrap {}: the table's struct_size is {}, at least {} is needed",
                              name, table->struct_size, MUSTER_BOOTSTRAP_SIZE),
                  remedy);
  }
  if (table->open == nullptr || table->rank == nullptr || table->size == nullptr ||
      table->close == nullptr) {
    return Status(MUSTER_INVALID_ARGUMENT,
                  fmt::format("bootstrap {}: open, rank, size or close is missing", name), remedy);
  }
  if (table->all_gather == nullptr && (table->put == nullptr || table->get == nullptr)) {
    return Status(MUSTER_INVALID_ARGUMENT,
                  fmt::format("bootstrap {}: it gives neither put and get nor all_gather", name),
                  remedy);
  }
  return Status();
}

Status check_members(std::span<const uint32_t> ranks, uint32_t self, uint32_t size) {
  std::vector<uint32_t> sorted(ranks.begin(), ranks.end());
  std::sort(sorted.begin(), sorted.end());
  if (!sorted.empty() && sorted.back() >= size) {
    return Status(
        MUSTER_INVALID_ARGUMENT,
        fmt::format("world rank {} is outside the world of {} ranks", sorted.back(), size));
  }
  auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) {
    return Status(MUSTER_INVALID_ARGUMENT,
                  fmt::format("world rank {} is listed twice among the members", *twice));
  }
  if (!std::binary_search(sorted.begin(), sorted.end(), self)) {
    return Status(
        MUSTER_INVALID_ARGUMENT,
        fmt::format("world rank {} takes part in an exchange that does not list it", self));
  }
  return Status();
}

}  // namespace

Result<std::unique_ptr<World>> World::open(const muster_bootstrap* table, muster_instance* instance,
                                           std::string name, uint64_t deadline_ns) {
  MUSTER_TRY(check_table(table, name));
  muster_world* joined = nullptr;
  Status opened(table->open(instance, deadline_ns, &joined));
  if (!opened.ok()) return opened.within(fmt::format("bootstrap {}", name));
  if (joined == nullptr) {
    return Status(MUSTER_INTERNAL, fmt::format("bootstrap {}: open gave no world", name));
  }
  std::unique_ptr<World> world(new World(table, joined, std::move(name)));
  if (world->size_ == 0 || world->rank_ >= world->size_) {
    return Status(MUSTER_INTERNAL, fmt::format("bootstrap {}: it says rank {} of {}", world->name_,
                                               world->rank_, world->size_));
  }
  return world;
}

World::World(const muster_bootstrap* table, muster_world* world, std::string name)
    : table_(table),
      world_(world),
      name_(std::move(name)),
      rank_(table->rank(world)),
      size_(table->size(world)) {}

World::~World() { table_->close(world_, deadline_after(kCloseBound)); }

std::string World::next_key(uint64_t tag, size_t members) {
  std::lock_guard lock(mutex_);
  // The other members read it, see KeyStore.
  return fmt::format("m/{:x}/{}#{}", tag, sequence_[tag]++, members - 1);
}

Result<std::string> World::get(uint32_t from_rank, const std::string& key, uint64_t deadline_ns) {
  Got got;
  Status status(table_->get(world_, from_rank, key.c_str(), deadline_ns, Got::take, &got));
  auto where = [&] {
    return fmt::format("bootstrap {}: world rank {} waited for '{}' of world rank {}", name_, rank_,
                       key, from_rank);
  };
  if (!status.ok()) return status.within(where());
  if (!got.given) return Status(MUSTER_INTERNAL, where() + ": get succeeded without a value");
  return std::move(got.bytes);
}

Status World::put(const std::string& key, std::string_view bytes) {
  Status status(table_->put(world_, key.c_str(), bytes.data(), bytes.size()));
  return status.within(fmt::format("bootstrap {}: world rank {} puts '{}'", name_, rank_, key));
}

Result<std::vector<std::string>> World::all_gather(std::span<const uint32_t> ranks, uint64_t tag,
                                                   std::string_view bytes, uint64_t deadline_ns) {
  MUSTER_TRY(check_members(ranks, rank_, size_));
  if (table_->all_gather != nullptr) return gather_natively(ranks, tag, bytes, deadline_ns);
  if (ranks.size() == 1) return std::vector<std::string>{std::string(bytes)};
  std::string key = next_key(tag, ranks.size());
  MUSTER_TRY(put(key, bytes));
  std::vector<std::string> parts(ranks.size());
  for (size_t i = 0; i < ranks.size(); ++i) {
    if (ranks[i] == rank_) {
      parts[i] = bytes;
      continue;
    }
    Result<std::string> part = get(ranks[i], key, deadline_ns);
    if (!part.ok()) return part.take_status();
    parts[i] = std::move(*part);
  }
  return parts;
}

Result<std::vector<std::string>> World::gather_natively(std::span<const uint32_t> ranks,
                                                        uint64_t tag, std::string_view bytes,
                                                        uint64_t deadline_ns) {
  Gathered gathered(ranks.size());
  Status status(table_->all_gather(world_, ranks.data(), static_cast<uint32_t>(ranks.size()), tag,
                                   bytes.data(), bytes.size(), deadline_ns, Gathered::take,
                                   &gathered));
  auto where = [&] {
    return fmt::format("bootstrap {}: world rank {} in all_gather of tag {:x} with world ranks {}",
                       name_, rank_, tag, fmt::join(ranks.begin(), ranks.end(), ", "));
  };
  if (!status.ok()) return status.within(where());
  if (!gathered.defect.empty()) return Status(MUSTER_INTERNAL, where() + ": " + gathered.defect);
  auto missing = std::find(gathered.given.begin(), gathered.given.end(), false);
  if (missing != gathered.given.end()) {
    return Status(MUSTER_INTERNAL,
                  fmt::format("{}: nothing was given for world rank {}", where(),
                              ranks[static_cast<size_t>(missing - gathered.given.begin())]));
  }
  return std::move(gathered.parts);
}

Result<std::string> World::broadcast(std::span<const uint32_t> ranks, uint64_t tag,
                                     uint32_t root_index, std::string_view bytes,
                                     uint64_t deadline_ns) {
  MUSTER_TRY(check_members(ranks, rank_, size_));
  if (root_index >= ranks.size()) {
    return Status(MUSTER_INVALID_ARGUMENT,
                  fmt::format("root {} of a broadcast among {} ranks", root_index, ranks.size()));
  }
  bool is_root = ranks[root_index] == rank_;
  if (table_->put == nullptr || table_->get == nullptr) {
    auto parts = gather_natively(ranks, tag, is_root ? bytes : std::string_view(), deadline_ns);
    if (!parts.ok()) return parts.take_status();
    return std::move((*parts)[root_index]);
  }
  if (ranks.size() == 1) return std::string(bytes);
  std::string key = next_key(tag, ranks.size());
  if (!is_root) return get(ranks[root_index], key, deadline_ns);
  MUSTER_TRY(put(key, bytes));
  return std::string(bytes);
}

Result<std::vector<MinMax>> World::min_max(std::span<const uint32_t> ranks, uint64_t tag,
                                           std::span<const uint64_t> values, uint64_t deadline_ns) {
  std::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  auto parts = all_gather(ranks, tag, bytes, deadline_ns);
  if (!parts.ok()) return parts.take_status();
  std::vector<MinMax> result(values.size(), MinMax{UINT64_MAX, 0});
  for (size_t i = 0; i < ranks.size(); ++i) {
    const std::string& part = (*parts)[i];
    if (part.size() != bytes.size()) {
      return Status(MUSTER_MISMATCH,
                    fmt::format("min_max: world rank {} gave {} bytes, world rank {} gives {}",
                                ranks[i], part.size(), rank_, bytes.size()),
                    "start every rank with the same version of muster");
    }
    for (size_t at = 0; at < values.size(); ++at) {
      uint64_t value;
      std::memcpy(&value, part.data() + at * sizeof(value), sizeof(value));
      result[at].min = std::min(result[at].min, value);
      result[at].max = std::max(result[at].max, value);
    }
  }
  return result;
}

Status World::barrier(std::span<const uint32_t> ranks, uint64_t tag, uint64_t deadline_ns) {
  return all_gather(ranks, tag, {}, deadline_ns).take_status();
}

}  // namespace muster

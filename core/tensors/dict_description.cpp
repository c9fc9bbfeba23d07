#include "core/tensors/dict_description.hpp"

#include <fmt/format.h>

#include <cstring>

namespace muster {
namespace {

constexpr uint64_t kMark = 0x317463696473756d;  // "musdict1"

template <typename T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void put_text(std::string& out, const void* data, uint64_t bytes) {
  put(out, static_cast<uint32_t>(bytes));
  if (bytes != 0) out.append(static_cast<const char*>(data), bytes);
}

void put_entry(std::string& out, const DictEntry& entry, bool with_values) {
  put_text(out, entry.name.data(), entry.name.size());
  put(out, static_cast<uint8_t>(entry.kind));
  if (!entry.is_tensor()) {
    put_text(out, entry.data, with_values ? entry.bytes : 0);
    return;
  }
  put(out, static_cast<uint8_t>(entry.dtype));
  put(out, static_cast<uint8_t>(entry.memory));
  put(out, static_cast<uint8_t>(entry.shape.size()));
  for (const uint64_t size : entry.shape) put(out, size);
}

// Takes from the front; once there is too little, everything is zero and `failed`.
struct Reader {
  std::string_view left;
  bool failed = false;

  std::string_view take(uint64_t bytes) {
    if (failed || bytes > left.size()) {
      failed = true;
      return {};
    }
    const std::string_view taken = left.substr(0, bytes);
    left.remove_prefix(bytes);
    return taken;
  }
  template <typename T>
  T number() {
    T value{};
    const std::string_view bytes = take(sizeof(T));
    if (!failed) std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }
  std::string_view text() { return take(number<uint32_t>()); }
};

Status damaged(const std::string& what) {
  return Status(MUSTER_DATA_LOSS,
                fmt::format("the description of a dictionary is damaged: {}", what),
                "match every muster_send_dict with a muster_recv_dict of its peer");
}

Result<DictEntry> read_entry(Reader& reader) {
  const std::string_view name = reader.text();
  if (name.find('\0') != std::string_view::npos) return damaged("a name with a zero byte");
  const auto kind = reader.number<uint8_t>();
  if (kind == MUSTER_DICT_VALUE) {
    const std::string_view value = reader.text();
    return make_value(name, value.data(), value.size());
  }
  if (kind != MUSTER_DICT_TENSOR) return damaged(fmt::format("an entry of kind {}", kind));
  const auto dtype = reader.number<uint8_t>();
  const auto memory = reader.number<uint8_t>();
  const auto dims = reader.number<uint8_t>();
  uint64_t shape[MUSTER_MAX_DIMS] = {};
  for (uint32_t d = 0; d < dims && d < MUSTER_MAX_DIMS; ++d) shape[d] = reader.number<uint64_t>();
  if (reader.failed) return damaged("it is cut off");
  return make_tensor(name, shape, dims, dtype, memory);
}

}  // namespace

std::string describe_dict(const muster_dict& dict, const Slice& slice) {
  std::string out;
  put(out, kMark);
  put(out, slice.count);
  put(out, slice.index);
  put(out, static_cast<uint64_t>(dict.size()));
  for (const DictEntry& entry : dict.entries()) put_entry(out, entry, true);
  return out;
}

Result<DictDescription> parse_description(std::string_view bytes) {
  Reader reader{bytes};
  DictDescription description;
  if (reader.number<uint64_t>() != kMark) return damaged("it does not begin as one");
  description.slice.count = reader.number<uint32_t>();
  description.slice.index = reader.number<uint32_t>();
  if (description.slice.index >= description.slice.count) return damaged("no such slice");
  const auto entries = reader.number<uint64_t>();
  for (uint64_t i = 0; i < entries && !reader.failed; ++i) {
    Result<DictEntry> entry = read_entry(reader);
    if (reader.failed) break;
    if (!entry.ok()) return damaged(entry.status().cause());
    if (Status added = description.dict.add(std::move(*entry)); !added.ok())
      return damaged(added.cause());
  }
  if (reader.failed) return damaged("it is cut off");
  if (!reader.left.empty()) return damaged(fmt::format("{} bytes too many", reader.left.size()));
  return description;
}

Digest layout_digest(const muster_dict& dict) {
  std::string out;
  for (const DictEntry& entry : dict.entries()) put_entry(out, entry, false);
  return digest_of(out);
}

}  // namespace muster

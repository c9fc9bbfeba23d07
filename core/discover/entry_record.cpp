#include "core/discover/entry_record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "config/value.hpp"

namespace muster {
namespace {

bool is_utf8(const std::string& text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t more = lead < 0x80                   ? 0
                        : lead >= 0xc2 && lead < 0xe0 ? 1
                        : lead >= 0xe0 && lead < 0xf0 ? 2
                        : lead >= 0xf0 && lead < 0xf5 ? 3
                                                      : 4;
    if (more == 4 || i + more >= text.size()) return false;
    for (size_t k = 1; k <= more; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    i += more + 1;
  }
  return true;
}

// False when no NUL ends the text inside its array.
template <size_t N>
bool take_text(const char (&array)[N], std::string& out) {
  const size_t length = strnlen(array, N);
  out.assign(array, length);
  // What is shown to people must not drive their terminal, and is text for who reads the JSON.
  const bool utf8 = is_utf8(out);
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !utf8)) c = '?';
  }
  return length < N;
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  size_t at = 0;
  while ((at = text.find_first_not_of(' ', at)) != std::string::npos) {
    const size_t end = std::min(text.find(' ', at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

}  // namespace

bool EntryRecord::gives(std::string_view interface) const {
  return std::find(interfaces.begin(), interfaces.end(), interface) != interfaces.end();
}

std::string decode_entry(const void* bytes, EntryRecord& out) {
  muster_entry raw{};
  std::memcpy(static_cast<void*>(&raw), bytes, MUSTER_PLUGIN_ENTRY_FROZEN_SIZE);
  if (raw.magic != MUSTER_PLUGIN_MAGIC) {
    return fmt::format("wrong magic: the entry record begins with {:#018x}, not {:#018x}",
                       raw.magic, MUSTER_PLUGIN_MAGIC);
  }
  out.struct_size = raw.struct_size;
  out.abi_major = raw.abi_major;
  out.abi_minor = raw.abi_minor;
  out.min_host_minor = raw.min_host_minor;
  std::string interfaces;
  std::string probe_env;
  std::string probe_files;
  const char* open_ended = nullptr;
  if (!take_text(raw.id, out.id)) open_ended = "id";
  if (!take_text(raw.version, out.version)) open_ended = "version";
  if (!take_text(raw.vendor, out.vendor)) open_ended = "vendor";
  if (!take_text(raw.build_tag, out.build_tag)) open_ended = "build_tag";
  if (!take_text(raw.interfaces, interfaces)) open_ended = "interfaces";
  if (!take_text(raw.probe_env, probe_env)) open_ended = "probe_env";
  if (!take_text(raw.probe_files, probe_files)) open_ended = "probe_files";
  out.interfaces = words_of(interfaces);
  out.probe_env = words_of(probe_env);
  out.probe_files = words_of(probe_files);
  if (open_ended != nullptr) {
    return fmt::format("malformed entry record: {} is not ended inside its array", open_ended);
  }
  if (!is_identifier(out.id)) {
    return fmt::format("malformed entry record: the id '{}' is not [a-z0-9_]+", out.id);
  }
  return {};
}

bool same_entry(const EntryRecord& a, const EntryRecord& b) {
  return a.struct_size == b.struct_size && a.abi_major == b.abi_major &&
         a.abi_minor == b.abi_minor && a.min_host_minor == b.min_host_minor && a.id == b.id &&
         a.version == b.version && a.vendor == b.vendor && a.build_tag == b.build_tag &&
         a.interfaces == b.interfaces && a.probe_env == b.probe_env &&
         a.probe_files == b.probe_files;
}

}  // namespace muster

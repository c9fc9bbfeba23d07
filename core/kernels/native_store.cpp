#include "core/kernels/native_store.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/base/names.hpp"
#include "core/base/private_directory.hpp"
#include "core/base/replace_file.hpp"
#include "core/kernels/compiler.hpp"
#include "core/kernels/kept_files.hpp"
#include "core/kernels/processor.hpp"
#include "core/kernels/registry.hpp"

namespace muster {
namespace {

constexpr const char* kFormat = "muster-kernels 1";
constexpr const char* kRecordEnding = ".ready";

}  // namespace

std::string native_sources_digest() { return MUSTER_HOST_KERNEL_DIGEST; }

std::string native_file_stamp(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return "missing";
  return fmt::format("{} {} {}.{:09}", status.st_ino, status.st_size, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec);
}

std::string NativeKey::name() const {
  std::string text = fmt::format("{}.{}.{}", family, algorithm,
                                 dtype == MUSTER_DTYPE_NONE ? "any" : dtype_name(dtype));
  std::replace(text.begin(), text.end(), '/', '-');
  return text;
}

std::vector<NativeKey> native_keys() {
  std::vector<NativeKey> keys;
  for (const BuiltinFamily& family : builtin_families()) {
    for (muster_dtype dtype = 0; dtype < MUSTER_DTYPE_END; ++dtype) {
      muster_kernel_key key{MUSTER_KERNEL_KEY_SIZE, dtype,  MUSTER_REDOP_NONE, 0, family.name,
                            family.algorithm,       nullptr};
      bool any = find_kernel(key) != nullptr;
      key.redop = MUSTER_SUM;
      any = any || find_kernel(key) != nullptr;
      if (any) keys.push_back({family.name, family.algorithm, dtype});
    }
  }
  return keys;
}

NativeStore::NativeStore(const Config& config)
    : directory_(config.plugins_cache_dir.value.empty()
                     ? user_cache_directory("kernels")
                     : config.plugins_cache_dir.value + "/kernels") {
  if (directory_.empty()) return;
  directory_ += "/" + processor_fingerprint();
  if (access(directory_.c_str(), F_OK) != 0) return;
  const Result<Compiler> compiler = find_compiler(config);
  if (compiler.ok()) compiler_ = compiler->stamp;
}

std::string NativeStore::prepare() const {
  if (directory_.empty()) return "the user has no cache directory: set plugins.cache_dir";
  if (!make_private_directory(directory_)) {
    return fmt::format("{} cannot be made: {}", directory_, std::strerror(errno));
  }
  const std::string fault = fault_of_private_directory(directory_);
  return fault.empty() ? "" : fmt::format("{}: {}", directory_, fault);
}

std::string NativeStore::base_of(const std::string& key_name, const std::string& architecture,
                                 const std::string& digest) const {
  return fmt::format("{}/{}.{}.{}", directory_, key_name, architecture, digest.substr(0, 8));
}

std::string NativeStore::id_of(const std::string& key_name, const std::string& digest) {
  std::string id = fmt::format("native_{}_{}", key_name, digest.substr(0, 8));
  for (char& c : id) c = c == '-' || c == '.' ? '_' : c;
  return id;
}

std::optional<NativeRecord> NativeStore::read(const std::string& base) const {
  std::ifstream stream(base + kRecordEnding);
  std::string line;
  if (!std::getline(stream, line) || line != kFormat) return std::nullopt;
  NativeRecord record;
  while (std::getline(stream, line)) {
    const size_t space = line.find(' ');
    if (space == std::string::npos) return std::nullopt;
    const std::string_view what = std::string_view(line).substr(0, space);
    const std::string value = line.substr(space + 1);
    if (what == "name") record.name = value;
    if (what == "architecture") record.architecture = value;
    if (what == "digest") record.digest = value;
    if (what == "sources") record.sources = value;
    if (what == "compiler") record.compiler = value;
    if (what == "file") record.file = value;
    if (what == "fault") record.report.faults.push_back(value);
    if (what == "group") {
      std::optional<KernelGroup> group = read_group(value);
      if (!group) return std::nullopt;
      record.report.ready.push_back(std::move(*group));
    }
  }
  return record;
}

bool NativeStore::write(const std::string& base, const NativeRecord& record) const {
  std::string text =
      fmt::format("{}\nname {}\narchitecture {}\ndigest {}\nsources {}\ncompiler {}\nfile {}\n",
                  kFormat, record.name, record.architecture, record.digest, record.sources,
                  record.compiler, record.file);
  for (const KernelGroup& group : record.report.ready)
    text += fmt::format("group {}\n", write_group(group));
  for (const std::string& fault : record.report.faults) text += fmt::format("fault {}\n", fault);
  return replace_file(base + kRecordEnding, text);
}

std::string NativeStore::staleness(const Entry& entry) const {
  const NativeRecord& record = entry.record;
  if (record.sources != native_sources_digest()) return "built from the sources of another version";
  // Without a compiler nothing newer can be built: what it once built still serves.
  if (!compiler_.empty() && record.compiler != compiler_) return "built by another compiler";
  if (entry.base != base_of(record.name, record.architecture, record.digest))
    return "its name is not that of its record";
  if (record.file != native_file_stamp(entry.object()))
    return "the file is not the one that was built";
  return {};
}

std::vector<NativeStore::Entry> NativeStore::entries() const {
  std::vector<Entry> entries;
  if (directory_.empty() || access(directory_.c_str(), F_OK) != 0) return entries;
  if (!fault_of_private_directory(directory_).empty()) return entries;
  for (const std::string& name : names_in(directory_)) {
    if (!name.ends_with(kRecordEnding)) continue;
    Entry entry;
    entry.base = directory_ + "/" + name.substr(0, name.size() - std::strlen(kRecordEnding));
    std::optional<NativeRecord> record = read(entry.base);
    if (record) {
      entry.record = std::move(*record);
      entry.stale = staleness(entry);
    } else {
      entry.stale = "its record cannot be read";
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<std::string> NativeStore::clean() const {
  std::vector<std::string> kept;
  for (const Entry& entry : entries()) {
    if (entry.stale.empty()) kept.push_back(entry.base.substr(directory_.size() + 1));
  }
  std::vector<std::string> removed;
  for (const std::string& name : names_in(directory_)) {
    const bool needed = std::any_of(kept.begin(), kept.end(), [&](const std::string& base) {
      return name == base + ".so" || name == base + kRecordEnding;
    });
    // A build that is under way has its lock.
    std::string key = name.substr(0, name.find(".tmp-"));
    if (key.ends_with(kRecordEnding)) key.resize(key.size() - std::strlen(kRecordEnding));
    const std::string key_lock = directory_ + "/" + key + ".lock";
    if (needed || is_locked(directory_ + "/" + name) || is_locked(key_lock)) continue;
    if (unlink((directory_ + "/" + name).c_str()) == 0) removed.push_back(name);
  }
  return removed;
}

}  // namespace muster

#include "core/discover/loader.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <ltdl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <tuple>

#include "core/discover/entry_record.hpp"

namespace muster {
namespace {

constexpr const char* kTellVendor = "tell the plugin's vendor";

// libltdl knows nothing of threads and keeps one state per process. Never destroyed: what was
// opened stays.
struct Ltdl {
  using File = std::tuple<dev_t, ino_t>;
  struct Opened {
    File file;
    const muster_entry* entry;
  };
  struct Preloaded {
    std::string path;
    const muster_entry* entry;
    std::array<lt_dlsymlist, 4> symbols;
  };
  std::mutex mutex;
  bool started = false;
  std::map<std::string, Opened> by_path;
  std::map<File, const muster_entry*> by_file;
  std::deque<Preloaded> preloaded;  // addresses are kept by libltdl
};

Ltdl& ltdl() {
  static Ltdl* const state = new Ltdl;
  return *state;
}

const char* ltdl_error() {
  const char* text = lt_dlerror();
  return text == nullptr ? "unknown error" : text;
}

Status start(Ltdl& state) {
  if (state.started) return {};
  if (lt_dlinit() != 0) {
    return Status(MUSTER_INTERNAL, fmt::format("libltdl does not start: {}", ltdl_error()));
  }
  state.started = true;
  return {};
}

// Local and resident, by an absolute name that ends in ".so": then libltdl consults no search path
// and parses no .la file.
Result<lt_dlhandle> open_handle(const std::string& path) {
  lt_dladvise advise = nullptr;
  if (lt_dladvise_init(&advise) != 0 || lt_dladvise_local(&advise) != 0 ||
      lt_dladvise_resident(&advise) != 0) {
    lt_dladvise_destroy(&advise);
    return Status(MUSTER_INTERNAL, fmt::format("libltdl takes no advice: {}", ltdl_error()));
  }
  const lt_dlhandle handle = lt_dlopenadvise(path.c_str(), advise);
  lt_dladvise_destroy(&advise);
  if (handle == nullptr) {
    return Status(MUSTER_UNAVAILABLE,
                  fmt::format("{} could not be opened: {}", path, ltdl_error()));
  }
  return handle;
}

Result<const muster_entry*> entry_of(lt_dlhandle handle, const FoundPlugin& plugin) {
  const auto* entry =
      static_cast<const muster_entry*>(lt_dlsym(handle, MUSTER_PLUGIN_ENTRY_SYMBOL));
  if (entry == nullptr) {
    return Status(MUSTER_NOT_FOUND,
                  fmt::format("{} has no symbol {}", plugin.path, MUSTER_PLUGIN_ENTRY_SYMBOL),
                  kTellVendor);
  }
  // lt_dlsym prefers "<file>_LTX_muster_plugin_entry": such a file would serve another entry than
  // the one that was judged.
  Dl_info info{};
  if (plugin.in_process == nullptr &&
      (dladdr(entry, &info) == 0 || info.dli_sname == nullptr ||
       std::strcmp(info.dli_sname, MUSTER_PLUGIN_ENTRY_SYMBOL) != 0)) {
    return Status(MUSTER_MISMATCH,
                  fmt::format("{} resolves {} to another symbol ({})", plugin.path,
                              MUSTER_PLUGIN_ENTRY_SYMBOL,
                              info.dli_sname == nullptr ? "none" : info.dli_sname),
                  "export no symbol besides the entry");
  }
  EntryRecord in_memory;
  if (const std::string reason = decode_entry(entry, in_memory); !reason.empty()) {
    return Status(MUSTER_MISMATCH, fmt::format("{} in memory: {}", plugin.path, reason),
                  kTellVendor);
  }
  if (!same_entry(in_memory, plugin.entry)) {
    return Status(MUSTER_MISMATCH,
                  fmt::format("{}: the entry in memory ({} {}) is not the one that was judged "
                              "from the file ({} {})",
                              plugin.path, in_memory.id, in_memory.version, plugin.entry.id,
                              plugin.entry.version),
                  "start discovery again, the file may have been replaced");
  }
  if (entry->open == nullptr || entry->close == nullptr || entry->get_interface == nullptr) {
    return Status(MUSTER_MISMATCH,
                  fmt::format("{}: the entry lacks open, close or get_interface", plugin.path),
                  kTellVendor);
  }
  return entry;
}

Result<const muster_entry*> open_file(Ltdl& state, const FoundPlugin& plugin) {
  struct stat status {};
  if (stat(plugin.path.c_str(), &status) != 0) {
    return Status(MUSTER_NOT_FOUND,
                  fmt::format("{} cannot be opened: {}", plugin.path, std::strerror(errno)));
  }
  const Ltdl::File file{status.st_dev, status.st_ino};
  if (const auto known = state.by_path.find(plugin.path); known != state.by_path.end()) {
    if (known->second.file == file) return known->second.entry;
    // libltdl, and the dynamic loader's own table, would hand out the old one.
    return Status(MUSTER_FAILED_PRECONDITION,
                  fmt::format("{} was replaced after this process had opened it", plugin.path),
                  "restart the program to use the new file");
  }
  if (const auto known = state.by_file.find(file); known != state.by_file.end()) {
    state.by_path.emplace(plugin.path, Ltdl::Opened{file, known->second});
    return known->second;
  }
  // libltdl reports every failure as "file not found" and binds lazily, so that an unresolved
  // function would end the process at its first call. Opening with everything bound first gives the
  // true cause, before any constructor has run. Where a probe has done that, in a child and to this
  // very file, only the plugin itself is bound (it was linked so): the functions of a large library
  // that it needs take longer to bind than all else in starting a runtime.
  const int binding = plugin.identity.empty() ? RTLD_NOW : RTLD_LAZY;
  void* const bound = dlopen(plugin.path.c_str(), binding | RTLD_LOCAL);
  if (bound == nullptr) {
    const char* const text = dlerror();
    return Status(MUSTER_UNAVAILABLE,
                  fmt::format("{} could not be opened: {}", plugin.path,
                              text == nullptr ? "unknown error" : text),
                  "install what it needs (ldd shows it)");
  }
  Result<lt_dlhandle> handle = open_handle(plugin.path);
  dlclose(bound);
  if (!handle.ok()) return handle.take_status();
  Result<const muster_entry*> entry = entry_of(*handle, plugin);
  if (!entry.ok()) return entry;
  state.by_path.emplace(plugin.path, Ltdl::Opened{file, *entry});
  state.by_file.emplace(file, *entry);
  return entry;
}

}  // namespace

Result<const muster_entry*> open_plugin(const FoundPlugin& plugin) {
  if (plugin.path.empty() || plugin.path.front() != '/') {
    return Status(MUSTER_INVALID_ARGUMENT,
                  fmt::format("'{}' is not an absolute path", plugin.path));
  }
  Ltdl& state = ltdl();
  const std::lock_guard<std::mutex> lock(state.mutex);
  MUSTER_TRY(start(state));
  if (plugin.in_process == nullptr) return open_file(state, plugin);
  Result<lt_dlhandle> handle = open_handle(plugin.path);
  if (!handle.ok()) return handle.take_status();
  return entry_of(*handle, plugin);
}

std::string preload_in_process(const muster_entry& entry) {
  Ltdl& state = ltdl();
  const std::lock_guard<std::mutex> lock(state.mutex);
  const std::string file = fmt::format("/{}.so", entry.id);
  for (const Ltdl::Preloaded& known : state.preloaded) {
    if (known.entry == &entry && known.path.ends_with(file)) return known.path;
  }
  Ltdl::Preloaded& fresh = state.preloaded.emplace_back();
  fresh.path = fmt::format("/muster-in-process/{}{}", state.preloaded.size(), file);
  fresh.entry = &entry;
  // The form of libltdl's preloaded symbol lists: originator, module, its symbols, end.
  fresh.symbols = {{{"muster", nullptr},
                    {fresh.path.c_str(), nullptr},
                    {MUSTER_PLUGIN_ENTRY_SYMBOL, const_cast<muster_entry*>(&entry)},
                    {nullptr, nullptr}}};
  // Starting libltdl later would forget the list; a failure to start is reported by open_plugin.
  if (start(state).ok()) lt_dlpreload(fresh.symbols.data());
  return fresh.path;
}

}  // namespace muster

#include "plugins/backends/mpi/library.hpp"

#include <dlfcn.h>

#include <atomic>
#include <mutex>
#include <type_traits>

#include "plugins/backends/mpi/process.hpp"

namespace muster::mpi {

Library library;

namespace {

std::atomic<bool> filled{false};
std::mutex opening;
std::string reason;  // under the mutex

// False: lacks a symbol, which is named in `reason`.
//
// Rationale: the objects are those that everybody else sees. A program that is linked to MPI may
// have copies of them of its own (copy relocations), which then count for the library too.
bool take_symbols(void* handle, Library& found) {
  const auto find = [&](const char* name, auto& symbol) {
    void* at = dlsym(RTLD_DEFAULT, name);
    if (at == nullptr) at = dlsym(handle, name);
    symbol = reinterpret_cast<std::decay_t<decltype(symbol)>>(at);
    if (symbol == nullptr) reason = std::string(Library::kName) + " lacks " + name;
    return symbol != nullptr;
  };
#define MUSTER_MPI_FUNCTION(name) \
  if (!find("PMPI_" #name, found.name)) return false;
#define MUSTER_MPI_OBJECT(name) \
  if (!find(#name, found.name)) return false;
#include "plugins/backends/mpi/library.def"
#undef MUSTER_MPI_FUNCTION
#undef MUSTER_MPI_OBJECT
  return true;
}

}  // namespace

bool open_library() {
  if (filled.load(std::memory_order_acquire)) return true;
  const std::lock_guard<std::mutex> lock(opening);
  if (filled.load(std::memory_order_relaxed)) return true;
  reason.clear();
  const int how = RTLD_LAZY | RTLD_LOCAL;
  void* handle = dlopen(Library::kName, how | RTLD_NOLOAD);
  if (handle == nullptr && !launched()) return false;
  if (handle == nullptr) handle = dlopen(Library::kName, how);
  if (handle == nullptr) {
    const char* const why = dlerror();
    reason = why == nullptr ? std::string(Library::kName) + " could not be opened" : why;
    return false;
  }
  Library found;
  if (!take_symbols(handle, found)) return false;
  library = found;
  filled.store(true, std::memory_order_release);
  return true;
}

std::string why_not_open() {
  const std::lock_guard<std::mutex> lock(opening);
  return reason;
}

}  // namespace muster::mpi

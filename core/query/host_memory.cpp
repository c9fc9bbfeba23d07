#include "core/query/host_memory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>

namespace muster {
namespace {

constexpr uint64_t kHugePage = uint64_t{2} << 20;

struct Backing {
  uint64_t bytes;
  int fd;
};

// By address. Never destroyed: groups may end while the process exits.
struct Known {
  std::mutex mutex;
  std::map<uintptr_t, Backing> by_address;
};

Known& known() {
  static Known* const known = new Known;
  return *known;
}

Status no_memory(uint64_t bytes, const char* step) {
  const int error = errno;
  return Status(
      MUSTER_RESOURCE_EXHAUSTED,
      fmt::format("no host memory of {} bytes: {}: {}", bytes, step, std::strerror(error)),
      error == EMFILE || error == ENFILE
          ? "each allocation holds a file: raise the limit of open files (ulimit -n)"
          : "");
}

// A memory file promises any size and kills whoever touches what is not there, so what this machine
// can never give is refused here.
uint64_t bytes_of_machine() {
  struct sysinfo facts {};
  if (sysinfo(&facts) != 0) return INT64_MAX;
  return (uint64_t{facts.totalram} + facts.totalswap) * facts.mem_unit;
}

muster_status* backing(const muster_host*, const void* pointer, uint64_t bytes, int32_t* out_fd,
                       uint64_t* out_offset) {
  return at_boundary([&] {
    const auto address = reinterpret_cast<uintptr_t>(pointer);
    Known& all = known();
    const std::lock_guard<std::mutex> lock(all.mutex);
    auto after = all.by_address.upper_bound(address);
    if (after != all.by_address.begin()) {
      const auto& [begin, piece] = *--after;
      const uint64_t offset = address - begin;
      if (offset <= piece.bytes && bytes <= piece.bytes - offset) {
        *out_fd = piece.fd;
        *out_offset = offset;
        return Status();
      }
    }
    return Status(
        MUSTER_UNAVAILABLE,
        fmt::format("{} bytes at {} are no memory of muster_mem_alloc, which no other process "
                    "can map",
                    bytes, pointer),
        "allocate it with muster_mem_alloc");
  });
}

}  // namespace

HostMemory::HostMemory(UniqueFd file, std::byte* data, uint64_t bytes)
    : file_(std::move(file)), data_(data), bytes_(bytes) {
  Known& all = known();
  const std::lock_guard<std::mutex> lock(all.mutex);
  all.by_address[reinterpret_cast<uintptr_t>(data_)] = {bytes_, file_.get()};
}

HostMemory::~HostMemory() {
  {
    Known& all = known();
    const std::lock_guard<std::mutex> lock(all.mutex);
    all.by_address.erase(reinterpret_cast<uintptr_t>(data_));
  }
  munmap(data_, bytes_);
}

Result<std::unique_ptr<HostMemory>> HostMemory::allocate(uint64_t bytes) {
  const uint64_t most = bytes_of_machine();
  if (bytes > most) {
    return Status(
        MUSTER_RESOURCE_EXHAUSTED,
        fmt::format("{} bytes of host memory are wanted, this machine has {}", bytes, most));
  }
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t rounded = (bytes + page - 1) / page * page;
  UniqueFd file(memfd_create("muster-memory", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.valid()) return no_memory(bytes, "memfd_create");
  if (ftruncate(file.get(), static_cast<off_t>(rounded)) != 0) return no_memory(bytes, "ftruncate");
  // Who maps it can rely on its size.
  if (fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return no_memory(bytes, "sealing it");
  void* const data = mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (data == MAP_FAILED) return no_memory(bytes, "mmap");
  // A wish, which only some kernels' settings grant to shared memory.
  if (rounded >= kHugePage) madvise(data, rounded, MADV_HUGEPAGE);
  return std::unique_ptr<HostMemory>(
      new HostMemory(std::move(file), static_cast<std::byte*>(data), rounded));
}

const muster_host_memory* host_memory_interface() {
  static constexpr muster_host_memory kTable{MUSTER_HOST_MEMORY_SIZE, 0, backing};
  return &kTable;
}

}  // namespace muster

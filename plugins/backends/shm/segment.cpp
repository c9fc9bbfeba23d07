#include "plugins/backends/shm/segment.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include "muster/plugin.hpp"

namespace muster::shm {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

[[noreturn]] void fail_system(muster_code code, const std::string& what) {
  const int error = errno;
  plugin::fail(
      code, what + ": " + std::strerror(error),
      error == EMFILE || error == ENFILE ? "raise the limit of open files (ulimit -n)" : "");
}

}  // namespace

void Descriptor::reset() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

Descriptor make_memory(uint64_t bytes) {
  Descriptor memory(memfd_create("muster-shm", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (memory.get() < 0) fail_system(MUSTER_UNAVAILABLE, "memfd_create failed");
  if (ftruncate(memory.get(), static_cast<off_t>(bytes)) != 0) {
    fail_system(MUSTER_RESOURCE_EXHAUSTED,
                "no shared memory of " + std::to_string(bytes) + " bytes");
  }
  if (fcntl(memory.get(), F_ADD_SEALS, kSeals) != 0) {
    fail_system(MUSTER_UNAVAILABLE, "cannot seal shared memory");
  }
  return memory;
}

// The mappings of this process by file. Never destroyed: groups may end while the process exits.
struct Mapping::Known {
  std::mutex mutex;
  std::map<Key, std::weak_ptr<Mapping>> by_file;
};

Mapping::Known& Mapping::known() {
  static Known* const known = new Known;
  return *known;
}

std::shared_ptr<Mapping> Mapping::of(const Descriptor& memory, uint64_t bytes) {
  struct stat facts {};
  if (fstat(memory.get(), &facts) != 0) fail_system(MUSTER_DATA_LOSS, "cannot inspect a segment");
  if (static_cast<uint64_t>(facts.st_size) != bytes ||
      (fcntl(memory.get(), F_GET_SEALS) & kSeals) != kSeals) {
    plugin::fail(MUSTER_DATA_LOSS,
                 "a received descriptor is not a sealed segment of " + std::to_string(bytes) +
                     " bytes, but a file of " + std::to_string(facts.st_size),
                 "if the ranks run on unlike processors, give chunk_bytes of backend shm a number: "
                 "what it is by default depends on them");
  }
  const Key key{facts.st_dev, facts.st_ino};
  Known& all = known();
  const std::lock_guard<std::mutex> lock(all.mutex);
  if (const auto found = all.by_file.find(key); found != all.by_file.end()) {
    if (std::shared_ptr<Mapping> mapping = found->second.lock()) return mapping;
  }
  void* const data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  if (data == MAP_FAILED) fail_system(MUSTER_RESOURCE_EXHAUSTED, "cannot map a segment");
  std::shared_ptr<Mapping> mapping(new Mapping(key, static_cast<std::byte*>(data), bytes));
  all.by_file[key] = mapping;
  return mapping;
}

Mapping::~Mapping() {
  Known& all = known();
  const std::lock_guard<std::mutex> lock(all.mutex);
  // A file of the same number cannot have replaced the entry while this mapping kept its own alive;
  // a second mapping of this very file can.
  if (const auto found = all.by_file.find(key_);
      found != all.by_file.end() && found->second.expired()) {
    all.by_file.erase(found);
  }
  munmap(data_, bytes_);
}

}  // namespace muster::shm

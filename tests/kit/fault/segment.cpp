#include "tests/kit/fault/segment.hpp"

#include <sys/mman.h>
#include <unistd.h>

namespace muster::fault {

Segments::Segments() : file_(memfd_create("muster-fault", MFD_CLOEXEC)) {
  if (file_ >= 0 && ftruncate(file_, sizeof(Segment)) == 0) return;
  if (file_ >= 0) close(file_);
  plugin::fail(MUSTER_UNAVAILABLE, "no shared memory");
}

Segments::~Segments() {
  for (Segment* const segment : mapped_) munmap(segment, sizeof(Segment));
  if (file_ >= 0) close(file_);
}

void Segments::join(const plugin::Group& group) {
  const std::vector<int32_t> files = group.exchange_fds(&file_, 1);
  bool all = true;
  for (const int32_t file : files) {
    void* const at = mmap(nullptr, sizeof(Segment), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    all = all && at != MAP_FAILED;
    if (at != MAP_FAILED) mapped_.push_back(static_cast<Segment*>(at));
  }
  if (!all) plugin::fail(MUSTER_RESOURCE_EXHAUSTED, "a segment cannot be mapped");
}

}  // namespace muster::fault

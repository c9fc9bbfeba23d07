// The bootstrap of a world of one: what serves when nothing else started this process.
#include "core/base/status.hpp"
#include "core/bootstrap/world.hpp"

namespace muster {
namespace {

uint32_t available(muster_instance*) { return 1; }

muster_status* open(muster_instance*, uint64_t, muster_world** out) {
  static char place;  // there is nothing to keep, but a world must have an address
  *out = reinterpret_cast<muster_world*>(&place);
  return nullptr;
}

uint32_t rank(muster_world*) { return 0; }
uint32_t size(muster_world*) { return 1; }

muster_status* all_gather(muster_world*, const uint32_t* ranks, uint32_t count, uint64_t,
                          const void* data, uint64_t bytes, uint64_t, muster_bytes_sink sink,
                          void* context) {
  if (count != 1 || ranks[0] != 0) {
    return Status(MUSTER_INVALID_ARGUMENT, "an exchange with other ranks in a world of one",
                  "start the program with muster run or mpirun")
        .release();
  }
  sink(context, 0, data, bytes);
  return nullptr;
}

void close(muster_world*, uint64_t) {}

}  // namespace

const muster_bootstrap* single_bootstrap() {
  static const muster_bootstrap table = {.struct_size = MUSTER_BOOTSTRAP_SIZE,
                                         .priority = -100,
                                         .name = "single",
                                         .available = available,
                                         .open = open,
                                         .rank = rank,
                                         .size = size,
                                         .put = nullptr,
                                         .get = nullptr,
                                         .all_gather = all_gather,
                                         .close = close};
  return &table;
}

}  // namespace muster

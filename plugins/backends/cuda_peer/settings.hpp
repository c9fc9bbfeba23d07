// The options of this backend. Equal on all ranks (options are part of what the ranks agree on).
#ifndef MUSTER_PLUGINS_CUDA_PEER_SETTINGS_HPP
#define MUSTER_PLUGINS_CUDA_PEER_SETTINGS_HPP

#include <cstdint>

#include "muster/plugin.hpp"

namespace muster::cuda_peer {

// A base of the backend class.
struct Declared {
  static constexpr muster_option kOptions[] = {
      plugin::option(
          "algorithm", MUSTER_OPTION_TEXT, "",
          "one_shot_push, two_shot_push or staged for every size; one_shot_pull for what "
          "can be pulled; empty: by size"),
      plugin::option("direct", MUSTER_OPTION_BOOLEAN, "true",
                     "use memory that all ranks know (muster_mem_alloc, muster_mem_register) where "
                     "it is, instead of copying"),
      plugin::option("register_captured", MUSTER_OPTION_BOOLEAN, "true",
                     "make the buffers of large captured calls known when the capture ends; they "
                     "stay mapped until the group ends"),
      plugin::option(
          "bands", MUSTER_OPTION_TEXT, "",
          "which size goes which way, as measured on this machine (muster bench --tune): "
          "OPERATION/RANKS=ONE_SHOT:TWO_SHOT:DIRECT_FROM:PULL_FROM:PULL_TO in bytes, the "
          "first or more of them, separated by commas"),
      plugin::option(
          "memory", MUSTER_OPTION_TEXT, "auto",
          "how ranks map each other's memory: fd, ipc, or auto for the first that works"),
      plugin::option("wait_ms", MUSTER_OPTION_INTEGER, "60000",
                     "how long a kernel waits for another rank before the call fails", 1,
                     int64_t{1} << 40),
      plugin::option(
          "programmatic", MUSTER_OPTION_BOOLEAN, "true",
          "launch a kernel while its predecessor ends; never where ranks share a device"),
      plugin::option("blocks", MUSTER_OPTION_INTEGER, "0",
                     "the most blocks of one launch; 0: as many as the device runs at once", 0,
                     264),
      plugin::option("line_threads", MUSTER_OPTION_INTEGER, "0",
                     "threads of a block for small messages, a multiple of 32; 0: as measured", 0,
                     512),
      plugin::option("step_bytes", MUSTER_OPTION_BYTES, "0",
                     "bytes of a piece in one step of a staged message, about; 0: by its size", 0,
                     16384),
      plugin::option("cluster", MUSTER_OPTION_INTEGER, "0",
                     "the most blocks that a row of the fused operation may have; 0: as measured",
                     0, 8),
      plugin::option("lag", MUSTER_OPTION_INTEGER, "0",
                     "steps of a staged message between showing and reading; 0: as measured", 0, 2),
  };
};

}  // namespace muster::cuda_peer

#endif

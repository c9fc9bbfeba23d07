// The options of this backend, and what they are for one group. Options are part of what the ranks
// agree on; defaults that are measured by processor are equal on all ranks where the processor is,
// and where the segments differ for it, none connects (segment.cpp).
#ifndef MUSTER_PLUGINS_SHM_SETTINGS_HPP
#define MUSTER_PLUGINS_SHM_SETTINGS_HPP

#include <algorithm>
#include <cstdint>
#include <string>

#include "muster/plugin.hpp"
#include "plugins/backends/shm/bands.hpp"
#include "plugins/backends/shm/processor.hpp"
#include "plugins/backends/shm/vocabulary.hpp"

namespace muster::shm {

// A base of the backend class.
struct Declared {
  static constexpr muster_option kOptions[] = {
      plugin::option(
          "chunk_bytes", MUSTER_OPTION_BYTES, "-1",
          "bytes that a rank shows in one step of a collective, at least 4096; four times that is "
          "its staging memory; -1: as measured, by processor (256 KiB on those of AMD, 128 KiB "
          "where a core has a level 2 cache of 1 MiB or more)",
          -1, int64_t{1} << 30),
      plugin::option(
          "box_bytes", MUSTER_OPTION_BYTES, "131072",
          "bytes of one chunk between two ranks (send, recv, v-operations); four per peer "
          "and direction are its memory, touched on use",
          64, int64_t{1} << 30),
      plugin::option("one_shot_bytes", MUSTER_OPTION_BYTES, "-1",
                     "reductions up to this size are reduced by every rank that needs the result; "
                     "larger ones in slices; at most chunk_bytes; a quarter of it for the fused "
                     "norm; -1: as measured, by operation, number of ranks and processor",
                     -1, int64_t{1} << 30),
      plugin::option("bands", MUSTER_OPTION_TEXT, "",
                     "the same as measured on this machine (muster bench --tune): "
                     "OPERATION/RANKS=BYTES, separated by commas"),
      plugin::option(
          "direct_bytes", MUSTER_OPTION_BYTES, "1024",
          "operands from this size on are not staged where the others can look into them: "
          "memory of muster_mem_alloc, ranks of one process",
          0, INT64_MAX),
      plugin::option(
          "stream_bytes", MUSTER_OPTION_BYTES, "-1",
          "results from this size on are written around the caches; -1: as measured, by "
          "processor (8 MiB on those of AMD, 1 MiB where a core has a level 2 cache of 1 "
          "MiB or more)",
          -1, INT64_MAX),
      plugin::option("far_ns", MUSTER_OPTION_INTEGER, "-1",
                     "ranks are far whose cache line takes so many nanoseconds to come; what is "
                     "shown to them goes around the caches; 0: none is far; 1: all are; -1: 70 on "
                     "processors of AMD, none elsewhere",
                     -1, INT32_MAX),
      plugin::option("far_bytes", MUSTER_OPTION_BYTES, "4096",
                     "what is shown to far ranks goes around the caches from this size on", 0,
                     INT64_MAX),
      plugin::option(
          "epoch_start", MUSTER_OPTION_INTEGER, "0",
          "where all counters start, for tests: near 4294967296 they soon cross 32 bits"),
      plugin::option(
          "fault_flip_op", MUSTER_OPTION_TEXT, "",
          "fault for tests: the operation whose result gets one bit flipped; empty: none"),
      plugin::option("fault_flip_rank", MUSTER_OPTION_INTEGER, "-1",
                     "fault for tests: the group rank whose result gets one bit flipped; -1: none",
                     -1, INT32_MAX),
      plugin::option("fault_flip_call", MUSTER_OPTION_INTEGER, "0",
                     "fault for tests: which call of that operation, counted from 0"),
  };
};

struct Settings {
  uint64_t chunk_bytes;
  uint64_t box_bytes;
  Bands bands;
  uint64_t direct_bytes;
  uint64_t stream_bytes;
  uint64_t far_ns;
  uint64_t far_bytes;
  uint64_t epoch_start;

  // Of a group, or of the query for one.
  template <typename Asked>
  static Bands bands_of(const Asked& asked) {
    const Processor processor = this_processor();
    return Bands::of(std::stoll(asked.option("one_shot_bytes")), asked.option("bands"),
                     chunk_bytes_of(asked, processor), asked.size(), processor.one_shot_bytes);
  }

  static Settings of(const plugin::Group& group) {
    const Processor processor = this_processor();
    return {chunk_bytes_of(group, processor),
            group.integer_option("box_bytes"),
            bands_of(group),
            group.integer_option("direct_bytes"),
            measured(group, "stream_bytes", processor.stream_bytes),
            measured(group, "far_ns", processor.far_ns),
            group.integer_option("far_bytes"),
            group.integer_option("epoch_start")};
  }

 private:
  static constexpr uint64_t kLeastChunk = 4096;

  // An option that may be -1: what is measured.
  template <typename Asked>
  static uint64_t measured(const Asked& asked, const char* name, uint64_t otherwise) {
    const int64_t value = std::stoll(asked.option(name));
    return value < 0 ? otherwise : static_cast<uint64_t>(value);
  }
  template <typename Asked>
  static uint64_t chunk_bytes_of(const Asked& asked, const Processor& processor) {
    return std::max(measured(asked, "chunk_bytes", processor.chunk_bytes), kLeastChunk);
  }
};

}  // namespace muster::shm

#endif

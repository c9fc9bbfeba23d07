// What a pack of kernel variants (interface muster.kernels/1) has that can be used here: its host
// kernels after their known-answer tests, its images, and what was left out. Made where the pack is
// probed, kept with the verdict of the probe.
#ifndef MUSTER_CORE_KERNELS_PACK_REPORT_HPP
#define MUSTER_CORE_KERNELS_PACK_REPORT_HPP

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "muster/kernels.h"

namespace muster {

// Variants that are alike but for dtype and reduce operation.
struct KernelGroup {
  std::string family;
  std::string algorithm;
  std::string architecture;
  std::string digest;
  uint32_t world_size = 0;
  int32_t score = 0;
  std::array<uint32_t, MUSTER_DTYPE_END> redops{};  // by dtype, a bit per reduce operation

  bool has(muster_dtype dtype, muster_redop redop) const {
    return dtype < MUSTER_DTYPE_END && redop < MUSTER_REDOP_END &&
           (redops[dtype] >> redop & 1) != 0;
  }
  bool alike(const KernelGroup& other) const;
  uint32_t size() const;  // how many variants
};

struct PackReport {
  std::vector<KernelGroup> ready;
  std::vector<std::string> images;  // of device kernels, as image_line writes them
  std::vector<std::string> faults;  // variants that were left out: which, and why
  std::string note;                 // why there are none, in the pack's own words
};

// "host_reduce/1 cached x86-64-v3 <digest> 0 30 1:ffe 2:ffe ..."; equal groups give equal lines.
std::string write_group(const KernelGroup& group);
std::optional<KernelGroup> read_group(std::string_view line);

}  // namespace muster

#endif

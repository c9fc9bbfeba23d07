// Packs of images: plugins with muster.kernels/1 that carry what toolchains made of device kernels,
// for machines without one.
#ifndef MUSTER_CORE_KERNELS_IMAGE_PACK_HPP
#define MUSTER_CORE_KERNELS_IMAGE_PACK_HPP

#include <string>
#include <vector>

#include "config/config.hpp"
#include "core/base/status.hpp"
#include "core/kernels/variant_build.hpp"

namespace muster {

struct PackedImage {
  DeclaredVariant variant;
  std::string image;
};

// Whether a file may be called so and be written where it is to be.
Status check_pack_name(const std::string& file);

// Writes a plugin through the system's compiler; its id is the file's name without ".so". The file
// appears as a whole. Starts processes; leaves nothing else behind.
Status write_image_pack(const Config& config, const std::vector<PackedImage>& images,
                        const std::string& file);

}  // namespace muster

#endif

// The runtime's part that keeps images (muster.images/1), for a host of the tests' making: the
// runtime's own store in a directory of the tests; what is missing is built by the backend.
#ifndef MUSTER_TESTS_GPU_PEER_IMAGE_HOST_HPP
#define MUSTER_TESTS_GPU_PEER_IMAGE_HOST_HPP

#include <string>

#include "muster/host.h"
#include "muster/variants.h"

namespace muster::peer_test {

// Valid as long as the backend's instance.
struct ImageHost : muster_host {
  std::string images;                   // directory
  muster_instance* instance = nullptr;  // of the backend
};

// The table; its hosts are ImageHosts.
const muster_images* kept_images();

}  // namespace muster::peer_test

#endif

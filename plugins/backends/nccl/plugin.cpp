// The backend "nccl": collectives of CUDA devices by NVIDIA's library, opened at run time.
#include "plugins/backends/nccl/backend.hpp"

MUSTER_PLUGIN(muster::nccl::Backend, muster::nccl::Group, "nccl", MUSTER_VERSION, "muster",
              "CUDA_VISIBLE_DEVICES LD_LIBRARY_PATH", "/dev/nvidiactl");

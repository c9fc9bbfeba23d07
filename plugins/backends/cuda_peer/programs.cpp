#include "plugins/backends/cuda_peer/programs.hpp"

#include <cstring>

#include "muster/names.h"
#include "plugins/backends/cuda_peer/device_sources.hpp"
#include "plugins/backends/cuda_peer/digest.hpp"

namespace muster::cuda_peer {
namespace {

constexpr const char* kSymbols[kKernels] = {"all_reduce_one_shot_push",
                                            "all_reduce_one_shot_push_wide",
                                            "all_reduce_two_shot_push",
                                            "reduce_scatter_push",
                                            "all_reduce_staged",
                                            "reduce_scatter_staged",
                                            "all_reduce_pull",
                                            "reduce_scatter_pull",
                                            "all_reduce_rmsnorm_push",
                                            "all_reduce_rmsnorm_push_rows",
                                            "all_gather_push",
                                            "all_to_all_push",
                                            "broadcast_push",
                                            "all_gather_staged",
                                            "all_to_all_staged",
                                            "broadcast_staged",
                                            "all_gather_pull",
                                            "all_to_all_pull",
                                            "broadcast_pull"};

const char* type_name(muster_dtype dtype) {
  return dtype == MUSTER_F32 ? "F32" : dtype == MUSTER_F16 ? "F16" : "BF16";
}

std::string program_name(const ProgramKey& key) {
  return key.dtype == MUSTER_DTYPE_NONE ? "moves" : "reductions";
}

const DeviceSource& source_of(const ProgramKey& key) {
  const std::string name = "plugins/backends/cuda_peer/device/" + program_name(key) + ".cu";
  for (const DeviceSource& source : device_sources()) {
    if (source.name == name) return source;
  }
  return device_sources().front();
}

}  // namespace

const char* kernel_symbol(Kernel kernel) { return kSymbols[static_cast<unsigned>(kernel)]; }

std::vector<ProgramKey> programs_of(unsigned ranks, const std::string& architecture) {
  std::vector<ProgramKey> programs;
  for (const muster_dtype dtype : {MUSTER_DTYPE_NONE, MUSTER_F32, MUSTER_F16, MUSTER_BF16}) {
    programs.push_back({dtype, ranks, architecture});
  }
  return programs;
}

std::vector<std::string> program_flags(const ProgramKey& key) {
  std::vector<std::string> flags = {"--gpu-architecture=" + key.architecture, "--std=c++17",
                                    "--fmad=false", "--device-as-default-execution-space",
                                    "-DMUSTER_PEER_RANKS=" + std::to_string(key.ranks)};
  if (key.dtype != MUSTER_DTYPE_NONE) {
    flags.push_back(std::string("-DMUSTER_PEER_TYPE=") + type_name(key.dtype));
  }
  return flags;
}

CubinKey cubin_key(const ProgramKey& key, const std::string& nvrtc_version) {
  std::string basis = "nvrtc " + nvrtc_version + "\n" + program_name(key) + "\n";
  for (const std::string& flag : program_flags(key)) basis += flag + "\n";
  for (const DeviceSource& source : device_sources()) {
    basis += std::string(source.name) + "\n" + source.text;
  }
  const char* const dtype = key.dtype == MUSTER_DTYPE_NONE ? "any" : muster_dtype_name(key.dtype);
  return {
      program_name(key) + "." + dtype + "." + std::to_string(key.ranks) + "." + key.architecture,
      digest_of(basis)};
}

Compiled compile_program(const ProgramKey& key) {
  return Nvrtc::get().compile(source_of(key), device_sources(), program_flags(key));
}

std::string cubin_of(const ProgramKey& key, const CubinCache& cache) {
  return cache.get(cubin_key(key, Nvrtc::get().version()), [&] { return compile_program(key); });
}

}  // namespace muster::cuda_peer

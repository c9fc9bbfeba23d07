#include "plugins/backends/cuda_peer/programs.hpp"

#include <cstring>

#include "muster/names.h"
#include "muster/plugin.hpp"
#include "plugins/backends/cuda_peer/device_sources.hpp"
#include "plugins/backends/cuda_peer/digest.hpp"

namespace muster::cuda_peer {
namespace {

constexpr const char* kSymbols[kKernels] = {"all_reduce_one_shot_push",
                                            "all_reduce_marked_push",
                                            "all_reduce_marked_push_stream",
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

constexpr const char* kFamily = "cuda_peer/1";

const char* algorithm_of(const ProgramKey& key) {
  return key.dtype == MUSTER_DTYPE_NONE ? "moves" : "reductions";
}

// Of everything that a program may include.
const std::string& sources_digest() {
  static const std::string digest = [] {
    std::string all;
    for (const DeviceSource& source : device_sources()) {
      all += std::string(source.name) + "\n" + source.text;
    }
    return digest_of(all);
  }();
  return digest;
}

const DeviceSource& source_of(const ProgramKey& key) {
  const std::string name =
      std::string("plugins/backends/cuda_peer/device/") + algorithm_of(key) + ".cu";
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

std::string program_name(const ProgramKey& key) {
  const std::string algorithm = algorithm_of(key);
  return key.dtype == MUSTER_DTYPE_NONE ? algorithm
                                        : algorithm + "." + muster_dtype_name(key.dtype);
}

std::string toolchain() {
  const std::string& version = Nvrtc::get().version();
  return version.empty() ? "" : "nvrtc-" + version;
}

Program::Program(const ProgramKey& key) : key_(key), toolchain_(toolchain()) {
  std::string basis = sources_digest() + "\n" + algorithm_of(key) + "\n";
  for (const std::string& flag : program_flags(key)) basis += flag + "\n";
  source_ = digest_of(basis);
}

muster_variant Program::variant() const {
  muster_variant variant{};
  variant.struct_size = MUSTER_VARIANT_SIZE;
  variant.key.struct_size = MUSTER_KERNEL_KEY_SIZE;
  variant.key.dtype = key_.dtype;
  variant.key.world_size = key_.ranks;
  variant.key.family = kFamily;
  variant.key.algorithm = algorithm_of(key_);
  variant.key.architecture = key_.architecture.c_str();
  variant.source = source_.c_str();
  variant.toolchain = toolchain_.c_str();
  return variant;
}

ProgramKey program_of(const muster_variant& variant) {
  for (const ProgramKey& key : programs_of(variant.key.world_size, variant.key.architecture)) {
    const Program program(key);
    if (key.dtype == variant.key.dtype && program.source() == variant.source &&
        std::strcmp(algorithm_of(key), variant.key.algorithm) == 0 &&
        std::strcmp(kFamily, variant.key.family) == 0) {
      return key;
    }
  }
  plugin::fail(MUSTER_INVALID_ARGUMENT,
               "cuda_peer has no such variant: it was listed by another "
               "version, or by another plugin");
}

Compiled compile_program(const ProgramKey& key) {
  return Nvrtc::get().compile(source_of(key), device_sources(), program_flags(key));
}

Compiled built_cubin(const ProgramKey& key) {
  Compiled compiled = compile_program(key);
  if (!compiled.cubin.empty()) return compiled;
  plugin::fail(
      MUSTER_UNAVAILABLE,
      program_name(key) + " cannot be compiled for " + key.architecture + ": " + compiled.log,
      "install NVRTC (libnvrtc) of CUDA 12 or later");
}

}  // namespace muster::cuda_peer

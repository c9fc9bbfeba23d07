// The CUDA driver, opened at run time: the functions, types and numbers of cuda.h that this backend
// uses. No CUDA header or library is needed to build or to load it.
//
// Any thread. The library stays open until the process ends.
#ifndef MUSTER_PLUGINS_CUDA_PEER_DRIVER_HPP
#define MUSTER_PLUGINS_CUDA_PEER_DRIVER_HPP

#include <cstddef>
#include <cstdint>
#include <string>

namespace muster::cuda_peer::cu {

using Result = int;  // 0: success
using Device = int;
using Pointer = uint64_t;  // CUdeviceptr
using Handle = uint64_t;   // CUmemGenericAllocationHandle
struct ContextTag;
using Context = ContextTag*;
struct ModuleTag;
using Module = ModuleTag*;
struct FunctionTag;
using Function = FunctionTag*;
struct StreamTag;
using Stream = StreamTag*;

struct Uuid {
  unsigned char bytes[16];
};
struct IpcHandle {
  char bytes[64];
};
struct Location {
  int type;
  int id;
};
struct AllocationProperties {
  int type;
  int handle_types;
  Location location;
  void* windows;
  unsigned char compression;
  unsigned char direct_rdma;
  unsigned short usage;
  unsigned char reserved[4];
};
struct Access {
  Location location;
  int flags;
};
struct LaunchAttribute {
  int id;
  int padding;
  union {
    char bytes[64];
    int programmatic;
    unsigned cluster[3];
  } value;
};
struct LaunchConfig {
  unsigned grid[3];
  unsigned block[3];
  unsigned shared_bytes;
  Stream stream;
  LaunchAttribute* attributes;
  unsigned attribute_count;
};

enum : int {
  kMultiprocessors = 16,  // device attributes
  kArchitectureMajor = 75,
  kArchitectureMinor = 76,
  kMostSharedBytes = 97,
  kVirtualMemory = 102,
  kPosixFdHandles = 103,
  kPeerAccess = 2,  // of two devices
  kPeerAtomics = 3,
  kPinned = 1,
  kOnDevice = 1,
  kPosixFd = 1,
  kReadWrite = 3,
  kMapped = 2,  // CU_MEMHOSTALLOC_DEVICEMAP
  kProgrammatic = 6,
  kClusterDimension = 4,
  kRelaxed = 2,  // CU_STREAM_CAPTURE_MODE_RELAXED
  kPeerAccessAlreadyEnabled = 704
};

// member, symbol, parameters
#define MUSTER_CUDA_FUNCTIONS(F)                                                                   \
  F(init, "cuInit", (unsigned))                                                                    \
  F(error_name, "cuGetErrorName", (Result, const char**))                                          \
  F(error_string, "cuGetErrorString", (Result, const char**))                                      \
  F(driver_version, "cuDriverGetVersion", (int*))                                                  \
  F(device_count, "cuDeviceGetCount", (int*))                                                      \
  F(device_get, "cuDeviceGet", (Device*, int))                                                     \
  F(device_attribute, "cuDeviceGetAttribute", (int*, int, Device))                                 \
  F(device_uuid, "cuDeviceGetUuid_v2", (Uuid*, Device))                                            \
  F(peer_attribute, "cuDeviceGetP2PAttribute", (int*, int, Device, Device))                        \
  F(context_retain, "cuDevicePrimaryCtxRetain", (Context*, Device))                                \
  F(context_release, "cuDevicePrimaryCtxRelease_v2", (Device))                                     \
  F(context_push, "cuCtxPushCurrent_v2", (Context))                                                \
  F(context_pop, "cuCtxPopCurrent_v2", (Context*))                                                 \
  F(context_current, "cuCtxGetCurrent", (Context*))                                                \
  F(context_synchronize, "cuCtxSynchronize", ())                                                   \
  F(context_enable_peer, "cuCtxEnablePeerAccess", (Context, unsigned))                             \
  F(capture_mode, "cuThreadExchangeStreamCaptureMode", (int*))                                     \
  F(module_load, "cuModuleLoadData", (Module*, const void*))                                       \
  F(module_unload, "cuModuleUnload", (Module))                                                     \
  F(module_function, "cuModuleGetFunction", (Function*, Module, const char*))                      \
  F(function_attribute, "cuFuncGetAttribute", (int*, int, Function))                               \
  F(function_set, "cuFuncSetAttribute", (Function, int, int))                                      \
  F(function_blocks, "cuOccupancyMaxActiveBlocksPerMultiprocessor", (int*, Function, int, size_t)) \
  F(launch, "cuLaunchKernelEx", (const LaunchConfig*, Function, void**, void**))                   \
  F(memory_granularity, "cuMemGetAllocationGranularity",                                           \
    (size_t*, const AllocationProperties*, int))                                                   \
  F(memory_create, "cuMemCreate", (Handle*, size_t, const AllocationProperties*, uint64_t))        \
  F(memory_release, "cuMemRelease", (Handle))                                                      \
  F(memory_export, "cuMemExportToShareableHandle", (void*, Handle, int, uint64_t))                 \
  F(memory_import, "cuMemImportFromShareableHandle", (Handle*, void*, int))                        \
  F(address_reserve, "cuMemAddressReserve", (Pointer*, size_t, size_t, Pointer, uint64_t))         \
  F(address_free, "cuMemAddressFree", (Pointer, size_t))                                           \
  F(memory_map, "cuMemMap", (Pointer, size_t, size_t, Handle, uint64_t))                           \
  F(memory_unmap, "cuMemUnmap", (Pointer, size_t))                                                 \
  F(memory_access, "cuMemSetAccess", (Pointer, size_t, const Access*, size_t))                     \
  F(memory_allocate, "cuMemAlloc_v2", (Pointer*, size_t))                                          \
  F(memory_free, "cuMemFree_v2", (Pointer))                                                        \
  F(memory_set, "cuMemsetD8_v2", (Pointer, unsigned char, size_t))                                 \
  F(ipc_get, "cuIpcGetMemHandle", (IpcHandle*, Pointer))                                           \
  F(ipc_open, "cuIpcOpenMemHandle_v2", (Pointer*, IpcHandle, unsigned))                            \
  F(ipc_close, "cuIpcCloseMemHandle", (Pointer))                                                   \
  F(host_allocate, "cuMemHostAlloc", (void**, size_t, unsigned))                                   \
  F(host_free, "cuMemFreeHost", (void*))                                                           \
  F(host_pointer, "cuMemHostGetDevicePointer_v2", (Pointer*, void*, unsigned))
// Absent from older drivers.
#define MUSTER_CUDA_OPTIONAL_FUNCTIONS(F) F(function_load, "cuFuncLoad", (Function))

struct Driver {
#define MUSTER_CUDA_MEMBER(member, symbol, parameters) Result(*member) parameters = nullptr;
  MUSTER_CUDA_FUNCTIONS(MUSTER_CUDA_MEMBER)
  MUSTER_CUDA_OPTIONAL_FUNCTIONS(MUSTER_CUDA_MEMBER)
#undef MUSTER_CUDA_MEMBER
  // Why it cannot be used; "" when it can.
  std::string missing;

  // "CUDA_ERROR_X (what it means)".
  std::string text_of(Result result) const;
  // Throws UNAVAILABLE with what was tried.
  void check(Result result, const char* what) const;
};

// Opens the driver on first use. Does not initialise it.
const Driver& driver();
// Also cuInit; throws UNAVAILABLE with what is missing.
const Driver& ready_driver();

// Makes a context current, and lets this thread do what other threads' captures must not see, as
// long as the object lives.
class Current {
 public:
  explicit Current(Context context);
  ~Current();
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

 private:
  int mode_;
};

}  // namespace muster::cuda_peer::cu

#endif

// What muster's plugins need of the CUDA driver API, declared here, so that no CUDA header is
// needed to build and no CUDA library to link: types and constants with the driver's own layout and
// values (which NVIDIA keeps), the functions in functions.def.
#ifndef MUSTER_PLUGINS_CUDA_DRIVER_API_HPP
#define MUSTER_PLUGINS_CUDA_DRIVER_API_HPP

#include <cstddef>
#include <cstdint>

namespace muster::cuda {

using Result = int;                        // CUresult
using DeviceHandle = int;                  // CUdevice
using DevicePointer = unsigned long long;  // CUdeviceptr
using Context = struct ContextOfDriver*;   // CUcontext
using Stream = struct StreamOfDriver*;     // CUstream
using Event = struct EventOfDriver*;       // CUevent
using Graph = struct GraphOfDriver*;       // CUgraph
using GraphExec = struct GraphExecOfDriver*;
using GraphNode = struct GraphNodeOfDriver*;
using MemoryHandle = unsigned long long;  // CUmemGenericAllocationHandle
using HostFunction = void (*)(void*);
using Module = struct ModuleOfDriver*;      // CUmodule
using Function = struct FunctionOfDriver*;  // CUfunction

enum : Result {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kNotInitialized = 3,
  kDeinitialized = 4,
  kNoDevice = 100,
  kInvalidDevice = 101,
  kInvalidContext = 201,
  kInvalidHandle = 400,
  kNotReady = 600,
  kIllegalAddress = 700,
  kPeerAccessAlreadyEnabled = 704,
  kNotPermitted = 800,
  kNotSupported = 801,
  kCaptureUnsupported = 900,
  kCaptureInvalidated = 901,
};

// CUdevice_attribute
enum : int {
  kMultiprocessors = 16,
  kComputeCapabilityMajor = 75,
  kComputeCapabilityMinor = 76,
  kMostSharedBytes = 97,
  kVirtualMemorySupported = 102,
  kFileDescriptorsSupported = 103,
  kRdmaOfVirtualMemorySupported = 110,
};

// CUdevice_P2PAttribute
enum : int { kPeerAccess = 2, kPeerAtomics = 3 };
// CUfunction_attribute
enum : int { kFunctionBinaryVersion = 6, kFunctionSharedBytes = 8 };

// CUpointer_attribute and CUmemorytype
enum : int {
  kPointerMemoryType = 2,
  kPointerIsManaged = 8,
  kPointerDevice = 9,
  kPointerHasIpc = 10,  // IS_LEGACY_CUDA_IPC_CAPABLE: plain memory of a device
};
enum : unsigned { kTypeHost = 1, kTypeDevice = 2, kTypeArray = 3, kTypeUnified = 4 };

enum : unsigned { kHostRegisterPortable = 1 };
enum : unsigned { kStreamDefault = 0, kStreamNonBlocking = 1 };
enum : unsigned { kEventDefault = 0, kEventDisableTiming = 2 };
// CUstreamCaptureStatus, CUstreamCaptureMode
enum : int { kCaptureNone = 0, kCaptureActive = 1, kCaptureBroken = 2 };
enum : int { kCaptureGlobal = 0, kCaptureThreadLocal = 1, kCaptureRelaxed = 2 };

struct Uuid {
  unsigned char bytes[16];
};

struct IpcHandle {  // CUipcMemHandle
  char bytes[64];
};
enum : unsigned { kIpcPeerAccess = 1 };
enum : unsigned { kHostMapped = 2 };  // CU_MEMHOSTALLOC_DEVICEMAP

struct MemoryLocation {
  int type;
  int id;
};
enum : int { kLocationDevice = 1 };
enum : int { kAllocationPinned = 1 };
enum : int { kHandleNone = 0, kHandleFileDescriptor = 1 };
enum : int { kAccessReadWrite = 3 };
enum : int { kGranularityMinimum = 0, kGranularityRecommended = 1 };

struct AllocationProperties {  // CUmemAllocationProp
  int type;
  int requested_handles;
  MemoryLocation location;
  void* win32;
  struct {
    unsigned char compression;
    unsigned char rdma_capable;
    unsigned short usage;
    unsigned char reserved[4];
  } flags;
};

struct MemoryAccess {  // CUmemAccessDesc
  MemoryLocation location;
  int flags;
};

struct LaunchAttribute {  // CUlaunchAttribute
  int id;
  int padding;
  union {
    char bytes[64];
    int programmatic;
    unsigned cluster[3];
  } value;
};
enum : int { kClusterDimension = 4, kProgrammatic = 6 };

struct LaunchConfig {  // CUlaunchConfig
  unsigned grid[3];
  unsigned block[3];
  unsigned shared_bytes;
  Stream stream;
  LaunchAttribute* attributes;
  unsigned attribute_count;
};

struct KernelNode {  // CUDA_KERNEL_NODE_PARAMS_v2
  Function function;
  unsigned grid[3];
  unsigned block[3];
  unsigned shared_bytes;
  void** parameters;
  void** extra;
  void* kernel;
  Context context;
};

struct Copy2d {  // CUDA_MEMCPY2D
  size_t src_x, src_y;
  unsigned src_type;
  const void* src_host;
  DevicePointer src_device;
  void* src_array;
  size_t src_pitch;
  size_t dst_x, dst_y;
  unsigned dst_type;
  void* dst_host;
  DevicePointer dst_device;
  void* dst_array;
  size_t dst_pitch;
  size_t width;
  size_t height;
};

static_assert(sizeof(AllocationProperties) == 32 && sizeof(MemoryAccess) == 12 &&
              sizeof(Copy2d) == 128 && sizeof(LaunchAttribute) == 72 &&
              sizeof(LaunchConfig) == 56 && sizeof(KernelNode) == 72 &&
              sizeof(DevicePointer) == sizeof(void*));

inline DevicePointer device_pointer(const void* pointer) {
  return static_cast<DevicePointer>(reinterpret_cast<uintptr_t>(pointer));
}
inline void* host_pointer(DevicePointer pointer) {
  return reinterpret_cast<void*>(static_cast<uintptr_t>(pointer));
}

}  // namespace muster::cuda

#endif

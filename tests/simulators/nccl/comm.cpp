#include "tests/simulators/nccl/comm.hpp"

#include <dlfcn.h>

namespace muster::simulators {
namespace {

// The driver, which the real library opens by name, too.
void* driver_function(const char* symbol) {
  static void* const driver = dlopen("libcuda.so.1", RTLD_NOW);
  return driver == nullptr ? nullptr : dlsym(driver, symbol);
}

struct Known {
  std::mutex mutex;
  std::map<nccl::Comm, std::shared_ptr<SimulatedComm>> comms;
};
Known& known() {
  static Known* const known = new Known;
  return *known;
}

// A job on its way through a stream, and through a graph any number of times.
struct Enqueued {
  std::shared_ptr<SimulatedComm> comm;
  Job job;
};

void carry_out(void* data) {
  const Enqueued& work = *static_cast<const Enqueued*>(data);
  const std::string wrong = work.comm->clique->run(work.comm->rank, work.job, work.comm->aborted);
  if (!wrong.empty()) work.comm->async = nccl::kInvalidUsage;
}

}  // namespace

std::string& last_error() {
  static thread_local std::string text;
  return text;
}

int current_device() {
  static const auto get =
      reinterpret_cast<int (*)(cuda::Context*)>(driver_function("cuCtxGetCurrent"));
  cuda::Context context = nullptr;
  if (get == nullptr || get(&context) != 0 || context == nullptr) return -1;
  return static_cast<int>(reinterpret_cast<uintptr_t>(context)) - 1;
}

int SimulatedComm::enqueue(Job job, nccl::Stream stream) {
  static const auto launch = reinterpret_cast<int (*)(nccl::Stream, cuda::HostFunction, void*)>(
      driver_function("cuLaunchHostFunc"));
  // Kept until the process ends: a captured graph may carry it out again at any time.
  static std::mutex mutex;
  static auto& kept = *new std::vector<std::unique_ptr<Enqueued>>;
  auto work = std::make_unique<Enqueued>(Enqueued{shared_from_this(), std::move(job)});
  if (launch == nullptr || launch(stream, carry_out, work.get()) != 0) {
    last_error() = "cuLaunchHostFunc failed";
    return nccl::kUnhandledCudaError;
  }
  const std::lock_guard<std::mutex> lock(mutex);
  kept.push_back(std::move(work));
  if (blocking) return nccl::kSuccess;
  busy = true;
  return nccl::kInProgress;
}

std::shared_ptr<SimulatedComm> comm_of(nccl::Comm handle) {
  const std::lock_guard<std::mutex> lock(known().mutex);
  const auto found = known().comms.find(handle);
  return found == known().comms.end() ? nullptr : found->second;
}

nccl::Comm keep(std::shared_ptr<SimulatedComm> comm) {
  const auto handle = reinterpret_cast<nccl::Comm>(comm.get());
  const std::lock_guard<std::mutex> lock(known().mutex);
  known().comms[handle] = std::move(comm);
  return handle;
}

void forget(nccl::Comm handle) {
  const std::lock_guard<std::mutex> lock(known().mutex);
  known().comms.erase(handle);
}

}  // namespace muster::simulators

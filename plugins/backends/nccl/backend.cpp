#include "plugins/backends/nccl/backend.hpp"

#include <string>

#include "plugins/cuda_driver/devices.hpp"
#include "plugins/cuda_driver/raise.hpp"

namespace muster::nccl {

const Library& Backend::library() const { return Library::open(host_.option("library")); }

void Backend::probe(plugin::Facts facts) {
  // NCCL itself answers without a device, up to the first communicator.
  cuda::raising([&] {
    const cuda::Driver& driver = cuda::Driver::initialised();
    const std::vector<cuda::SeenDevice> devices = cuda::seen_devices(driver);
    facts.put("cuda.driver", cuda::driver_version_text(driver));
    for (size_t i = 0; i < devices.size(); ++i) {
      const uint32_t capability = devices[i].capability;
      facts.put("cuda.device." + std::to_string(i),
                devices[i].uuid + " " + std::to_string(capability / 10) + "." +
                    std::to_string(capability % 10) + " " + devices[i].name);
    }
  });
  // Where plugins are tried first, in a child process, they do not know their options yet; so a
  // library that is not found under its usual name is told as a fact, which offer declines with.
  try {
    const Library& nccl = library();
    host_.record("library", "opened", nccl.path() + ", NCCL " + nccl.version_text());
    facts.put("nccl.version", nccl.version_text());
  } catch (const plugin::Failure& failure) {
    facts.put("nccl.missing", (failure.cause() + "; " + failure.remedy()).substr(0, 1000));
  }
}

std::unique_ptr<Group> Backend::prepare(plugin::Group group) {
  const auto device = static_cast<uint32_t>(group.info().places[group.rank()].device);
  std::shared_ptr<cuda::Contexts> contexts;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (contexts_ == nullptr) {
      contexts_ = cuda::raising(
          [] { return std::make_shared<cuda::Contexts>(cuda::Driver::initialised()); });
    }
    contexts = contexts_;
  }
  // Not where the library is opened first: plugins are probed with the defaults of their options.
  if (host_.option("nvls") != "true") Library::switch_multicast_off();
  return std::make_unique<Group>(group, library(), std::move(contexts), device);
}

}  // namespace muster::nccl

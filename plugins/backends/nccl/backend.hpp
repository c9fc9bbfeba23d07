// The plugin's instance: what it finds out about NCCL and the devices of this process (facts), and
// which calls it would take for a described group (a pure function of those facts).
#ifndef MUSTER_PLUGINS_BACKENDS_NCCL_BACKEND_HPP
#define MUSTER_PLUGINS_BACKENDS_NCCL_BACKEND_HPP

#include <memory>
#include <mutex>

#include "muster/plugin.hpp"
#include "plugins/backends/nccl/group.hpp"
#include "plugins/backends/nccl/settings.hpp"

namespace muster::nccl {

class Backend {
 public:
  static constexpr int32_t kPriority = 40;
  static constexpr muster_option kOptions[] = {
      plugin::option(
          "library", MUSTER_OPTION_TEXT, "libnccl.so.2",
          "the library's file, or a name that the loader looks for; of the whole runtime"),
      plugin::option(
          "nvls", MUSTER_OPTION_BOOLEAN, "false",
          "let NCCL use NVLink multicast; false sets NCCL_NVLS_ENABLE=0 unless it is set; "
          "of the whole process"),
      plugin::option(
          "blocking", MUSTER_OPTION_BOOLEAN, "true",
          "false: NCCL starts a thread for each call, which makes every wait in it bounded"),
      plugin::option("windows", MUSTER_OPTION_BOOLEAN, "false",
                     "register memory of muster_mem_alloc with NCCL (2.27 on), on one machine"),
      plugin::option("min_ctas", MUSTER_OPTION_INTEGER, "0",
                     "the fewest thread blocks of a kernel; 0: 32 with windows, else NCCL's choice",
                     0, 64),
      plugin::option("max_ctas", MUSTER_OPTION_INTEGER, "0",
                     "the most thread blocks of a kernel; 0: NCCL's choice", 0, 64),
      plugin::option("float_min_max", MUSTER_OPTION_BOOLEAN, "false",
                     "offer min and max of floats although NCCL loses NaN in them"),
  };

  explicit Backend(plugin::Host host) : host_(host) {}
  // Makes no context. nccl.version, or nccl.missing with the cause; cuda.driver; and
  // cuda.device.<n> for each device that the process sees: "<uuid> <compute capability> <name>".
  // UNAVAILABLE without a driver or a device.
  void probe(plugin::Facts facts);
  void offer(plugin::Query query);
  std::unique_ptr<Group> prepare(plugin::Group group);

 private:
  const Library& library() const;

  plugin::Host host_;
  std::mutex mutex_;
  std::shared_ptr<cuda::Contexts> contexts_;
};

}  // namespace muster::nccl

#endif

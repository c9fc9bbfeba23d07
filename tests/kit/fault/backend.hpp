// The opened fault plugin, and the tables of its backend: those of plugin.hpp, with what must cross
// the boundary uncaught put in between.
#ifndef MUSTER_TESTS_KIT_FAULT_BACKEND_HPP
#define MUSTER_TESTS_KIT_FAULT_BACKEND_HPP

#include <memory>

#include "muster/plugin.hpp"
#include "tests/kit/fault/group.hpp"

namespace muster::fault {

class FaultBackend : public Declared {
 public:
  static constexpr int32_t kPriority = 90;

  explicit FaultBackend(plugin::Host host);
  ~FaultBackend();
  void probe(plugin::Facts facts);
  void offer(plugin::Query query);
  std::unique_ptr<FaultGroup> prepare(plugin::Group group);

 private:
  plugin::Host host_;
};

// The functions of the entry record.
muster_status* open(const muster_host* host, muster_instance** out);
void close(muster_instance* instance);
const void* get_interface(muster_instance* instance, const char* name);

}  // namespace muster::fault

#endif

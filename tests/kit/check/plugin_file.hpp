// The plugin's file, opened in this process and used slot by slot over a host that is none: for the
// cases that need no other rank.
//
// One thread. The instance ends with the object; the file stays mapped.
#ifndef MUSTER_TESTS_KIT_CHECK_PLUGIN_FILE_HPP
#define MUSTER_TESTS_KIT_CHECK_PLUGIN_FILE_HPP

#include <map>
#include <string>
#include <vector>

#include "muster/backend.h"
#include "muster/testing/fake_host.hpp"
#include "tests/kit/check/catalogue.hpp"
#include "tests/kit/check/setup.hpp"

namespace muster::check {

using Facts = std::map<std::string, std::string>;

// Throws Failed with the loader's text.
void* load(const std::string& path);
const muster_entry& entry_of(void* library);

class PluginFile {
 public:
  // Opens an instance. Throws Failed.
  explicit PluginFile(const Setup& setup);
  ~PluginFile();
  PluginFile(const PluginFile&) = delete;
  PluginFile& operator=(const PluginFile&) = delete;

  const muster_entry& entry() const { return entry_; }
  muster_instance* instance() { return instance_; }
  testing::FakeHost& host() { return host_; }
  // Throws NotOffered for a plugin without one.
  const muster_backend& backend() const;
  // Throws Failed, or NotOffered when this machine has nothing for it.
  Facts probe();
  struct Offer {
    std::vector<muster_rule> rules;
    std::string declined;  // the reasons
  };
  // What it offers to ranks of this machine with these facts, each a process but with the bootstrap
  // "threads". Throws Failed.
  Offer offer(const std::string& bootstrap, const std::vector<Facts>& facts,
              muster_determinism determinism = MUSTER_NONDETERMINISTIC);

 private:
  testing::FakeHost host_;
  const muster_entry& entry_;
  muster_instance* instance_ = nullptr;
};

// The rules for calls on host memory in the world of this case; throws NotOffered, with the
// plugin's reasons, when there are none. [collective where ranks are processes]
std::vector<muster_rule> host_offer(const Scene& scene);
// The same for ranks that are threads of this process.
std::vector<muster_rule> host_offer_to_threads(const Setup& setup);

}  // namespace muster::check

#endif

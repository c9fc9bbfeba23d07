// A backend that builds kernels for devices of somebody else's, all of it pretended: which devices
// there are, what is built of what and by which toolchain is said by the environment. It offers
// all_reduce where its kernel is ready on all ranks, and never carries it out.
//
//   TOY_DEVICES     architectures, space-separated
//   TOY_SOURCE      the digest of the sources
//   TOY_TOOLCHAIN   the toolchain; "none" for none
//   TOY_COUNT       a file that takes a line per build
//   TOY_FAIL        what the toolchain says instead of building
//   TOY_SLEEP_MS    how long a build takes
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "muster/variants.hpp"

namespace {

using muster::plugin::fail;

std::string setting(const char* name, const std::string& otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

std::string toolchain() {
  const std::string text = setting("TOY_TOOLCHAIN", "toycc-1");
  return text == "none" ? "" : text;
}

// The process that has used the driver; drivers are the process's.
pid_t driver_of = 0;

class ToyGroup {
 public:
  explicit ToyGroup(muster::plugin::Group) {}
  void connect() {}
  void execute(const muster_call&) { fail(MUSTER_UNIMPLEMENTED, "it is pretended"); }
};

class ToyBackend {
 public:
  static constexpr int32_t kPriority = 90;

  explicit ToyBackend(muster::plugin::Host host) : images_(host) {}

  void probe(muster::plugin::Facts facts) {
    driver_of = getpid();
    if (!images_.kept()) return;
    const std::string source = setting("TOY_SOURCE", "0123456789abcdef");
    const std::string tool = toolchain();
    const muster_image_state state =
        images_.state(variant("sums", MUSTER_F32, "toy_90", source, tool));
    if (state == MUSTER_IMAGE_READY) facts.put("ready", "sums.f32.2.toy_90");
    if (state == MUSTER_IMAGE_BUILDABLE) facts.put("builds", tool);
  }
  void offer(muster::plugin::Query query) {
    for (uint32_t r = 0; r < query.size(); ++r) {
      if (query.fact(r, "ready").empty() && query.fact(r, "builds").empty()) {
        return query.decline("sums.f32.2.toy_90 is not ready on rank " + std::to_string(r));
      }
    }
    muster_rule rule = muster::plugin::rule("toy", MUSTER_BIT(MUSTER_ALL_REDUCE));
    rule.dtypes = MUSTER_BIT(MUSTER_F32);
    rule.redops = MUSTER_BIT(MUSTER_SUM);
    query.add(rule);
  }
  std::unique_ptr<ToyGroup> prepare(muster::plugin::Group group) {
    const std::string source = setting("TOY_SOURCE", "0123456789abcdef");
    const std::string tool = toolchain();
    images_.get(variant("sums", MUSTER_F32, "toy_90", source, tool));
    return std::make_unique<ToyGroup>(group);
  }

  const void* interface(const char* name) {
    return muster::plugin::variants_interface<ToyBackend>(name);
  }
  void architectures(muster::plugin::ImageSink sink) {
    if (driver_of != 0 && driver_of != getpid()) return;  // it sees no device after a fork
    std::istringstream words(setting("TOY_DEVICES", ""));
    for (std::string word; words >> word;) sink.text(word);
  }
  void list_variants(const std::string& architecture, muster::plugin::VariantSink sink) {
    const std::string source = setting("TOY_SOURCE", "0123456789abcdef");
    const std::string tool = toolchain();
    sink.put(variant("sums", MUSTER_F32, architecture.c_str(), source, tool));
    sink.put(variant("moves", MUSTER_DTYPE_NONE, architecture.c_str(), source, tool));
  }
  void build_variant(const muster_variant& variant, muster::plugin::ImageSink sink) {
    const std::string name = std::string(variant.key.algorithm) + " " + variant.key.architecture;
    if (const std::string file = setting("TOY_COUNT", ""); !file.empty()) {
      std::ofstream(file, std::ios::app) << name << "\n";
    }
    usleep(static_cast<useconds_t>(std::stoul(setting("TOY_SLEEP_MS", "0")) * 1000));
    if (const std::string cause = setting("TOY_FAIL", ""); !cause.empty()) {
      sink.text("line 7: " + cause);
      fail(MUSTER_UNAVAILABLE, cause);
    }
    if (toolchain().empty()) fail(MUSTER_UNAVAILABLE, "there is no toycc", "install toycc");
    sink.image("image of " + name);
  }

 private:
  static muster_variant variant(const char* algorithm, muster_dtype dtype, const char* architecture,
                                const std::string& source, const std::string& tool) {
    return {MUSTER_VARIANT_SIZE,
            0,
            {MUSTER_KERNEL_KEY_SIZE, dtype, MUSTER_REDOP_NONE, 2, "toy/1", algorithm, architecture},
            source.c_str(),
            tool.c_str()};
  }
  muster::plugin::Images images_;
};

}  // namespace

extern "C" {
extern MUSTER_PLUGIN_EXPORT const muster_entry muster_plugin_entry;
}
MUSTER_PLUGIN_RECORD(muster_plugin_entry, ToyBackend, ToyGroup, "toy_device", "1.0", "Toy",
                     MUSTER_BACKEND_INTERFACE " " MUSTER_VARIANTS_INTERFACE, "", "");

// The images of device kernels that one runtime can hand out: out of packs, or kept on this
// machine; what muster_images (muster/variants.h) answers from.
//
// Packs go first; one serves whatever toolchain it was made with, for whoever shipped it tried it.
// Only what was made of the very source is taken from either. Set up before anybody else has it,
// then any thread; never on the path of a call.
#ifndef MUSTER_CORE_QUERY_IMAGES_HPP
#define MUSTER_CORE_QUERY_IMAGES_HPP

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "core/base/records.hpp"
#include "core/discover/discovery.hpp"
#include "core/kernels/image_store.hpp"
#include "core/kernels/variant_build.hpp"

namespace muster {

// plugins.cache_dir, else the user's cache: where images are kept.
ImageStore image_store(const Config& config);

class Images {
 public:
  Images();
  ~Images();
  Images(const Images&) = delete;
  Images& operator=(const Images&) = delete;

  void configure(const Config& config, Records& records);
  void add_pack(const FoundPlugin& found, const std::vector<std::string>& images);

  // Before configure nothing is ready and nothing can be built: plugins may ask for the interface
  // when they are opened.
  muster_image_state state(const DeclaredVariant& variant, const VariantBuilder& builder) const;
  Result<std::string> get(const DeclaredVariant& variant, const VariantBuilder& builder) const;
  // What packs have, by "images of <id>": for those who must know when it changes.
  std::map<std::string, std::string> packs() const;
  // The file of the pack that has it; "".
  std::string pack_of(const DeclaredVariant& variant) const;

 private:
  struct Pack;
  Pack* find_pack(const DeclaredVariant& variant) const;
  std::optional<std::string> from_pack(const DeclaredVariant& variant) const;
  bool builds(const DeclaredVariant& variant, const VariantBuilder& builder) const;

  const Config* config_ = nullptr;
  Records* records_ = nullptr;
  ImageStore store_{""};
  std::vector<std::unique_ptr<Pack>> packs_;
  mutable std::mutex mutex_;  // of what is opened
};

// The table of MUSTER_IMAGES_INTERFACE; its hosts are PluginHosts.
const muster_images* images_interface();

}  // namespace muster

#endif

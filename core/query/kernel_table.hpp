// Which kernel serves a key in one runtime: what muster_host.kernel answers from.
//
// Packs are added as they were found; agree() leaves those that every rank has, and from then on
// find() gives the variant of the highest score (before it, and where no pack is better, the
// built-in one). A pack is opened when the first kernel of it is asked for. Lives as long as the
// runtime; kernels stay valid until the process ends.
//
// Thread rule: add and agree before anybody else has it; find on any thread. Never on the path of a
// call. As the loader of OpenCL's or ROCm's per-architecture code objects.
#ifndef MUSTER_CORE_QUERY_KERNEL_TABLE_HPP
#define MUSTER_CORE_QUERY_KERNEL_TABLE_HPP

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "core/base/records.hpp"
#include "core/discover/discovery.hpp"
#include "core/kernels/pack_report.hpp"
#include "core/query/images.hpp"

namespace muster {

class KernelPack;

// What one rank has: the digest of a pack's ready variants, by the pack's id; and of the images in
// packs, which need not be alike.
using ReadyPacks = std::map<std::string, std::string>;

// What serves a family by one algorithm, for people.
struct KernelsInUse {
  std::string family;
  std::string algorithm;
  std::string architecture;
  std::string digest;  // short; "" of the built-in ones
  std::string pack;    // its id; "" for the built-in ones
  uint32_t pairs = 0;  // how many pairs of dtype and reduce operation
};

class KernelTable {
 public:
  KernelTable();
  ~KernelTable();
  KernelTable(const KernelTable&) = delete;
  KernelTable& operator=(const KernelTable&) = delete;

  // Every usable pack among what was found, in that order, then those that were built on this
  // machine; those of the architecture that the configuration asks for. What cannot be used is
  // recorded and, where it is wrong, warned of.
  void add_found(const std::vector<FoundPlugin>& found, const Config& config, Records& records);

  ReadyPacks ready() const;
  // Leaves the packs that every rank has alike. `ranks` are all of them, this one included.
  void agree(const std::vector<const ReadyPacks*>& ranks, Records& records);

  // Images of device kernels. Which of them ranks have is told by the backends' facts, not agreed
  // on here: a rank may have them from a pack, another built by itself.
  const Images& images() const { return images_; }

  muster_kernel_function find(const muster_kernel_key& key) const;
  std::vector<KernelsInUse> in_use() const;

 private:
  struct Choice {
    KernelPack* pack = nullptr;
    const KernelGroup* group = nullptr;
  };
  void add(std::unique_ptr<KernelPack> pack, const Config& config, Records& records);
  void add_natives(const Config& config, Records& records);
  void refuse_duplicates(KernelPack& pack, Records& records) const;
  Choice best(const muster_kernel_key& key) const;
  // Of what serves the key: that choice, or the built-in kernel.
  static int32_t score_of(const Choice& choice, const muster_kernel_key& key);
  // A host_reduce_pair/1 below the score of the host_reduce/1 of the same key (kernels.h): it is
  // neither found nor in use.
  bool withheld(const muster_kernel_key& key, const Choice& choice) const;

  std::vector<std::unique_ptr<KernelPack>> packs_;
  Images images_;
  bool agreed_ = false;
  mutable std::mutex mutex_;  // of what is opened
};

// A plugin that gives kernels and nothing else: opened by the table that uses it, when it is used.
bool only_kernels(const FoundPlugin& plugin);

}  // namespace muster

#endif

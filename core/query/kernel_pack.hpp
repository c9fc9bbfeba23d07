// One pack of kernel variants in one runtime: what it has ready, and the opened file once a kernel
// of it was asked for. Internal to KernelTable, which serialises its use.
#ifndef MUSTER_CORE_QUERY_KERNEL_PACK_HPP
#define MUSTER_CORE_QUERY_KERNEL_PACK_HPP

#include <memory>
#include <string>
#include <vector>

#include "core/query/kernel_table.hpp"
#include "core/query/plugin.hpp"

namespace muster {

class KernelPack {
 public:
  // A pack that discovery has judged.
  KernelPack(FoundPlugin found, PackReport report, const Config& config, Records& records);
  // A file of this machine's own, which is judged when it is opened.
  KernelPack(std::string id, std::string path, PackReport report, const Config& config,
             Records& records);

  const std::string& id() const { return id_; }
  const std::string& path() const { return path_; }
  PackReport& report() { return report_; }
  const std::vector<KernelGroup>& groups() const { return report_.ready; }
  // Of everything that is ready.
  std::string digest() const;

  // NULL when the file cannot be opened after all: recorded and warned of, once.
  muster_kernel_function function(const KernelGroup& group, muster_dtype dtype, muster_redop redop);

 private:
  void open();

  std::string id_;
  std::string path_;
  std::optional<FoundPlugin> found_;
  PackReport report_;
  const Config* config_;
  Records* records_;
  bool tried_ = false;
  std::unique_ptr<Plugin> plugin_;
  std::vector<muster_kernel_function> functions_;  // by group, dtype, reduce operation
};

}  // namespace muster

#endif

// Where kernels come from: the built-in ones, or a pack for one instruction set, asked directly.
#ifndef MUSTER_TESTS_UNIT_KERNELS_KERNEL_SOURCES_HPP
#define MUSTER_TESTS_UNIT_KERNELS_KERNEL_SOURCES_HPP

#include <string>
#include <vector>

#include "muster/entry.h"
#include "muster/kernels.h"

namespace muster {

class KernelSource {
 public:
  // "generic", "x86-64-v2", ...; a path opens that file.
  explicit KernelSource(const std::string& name);
  ~KernelSource();
  KernelSource(const KernelSource&) = delete;
  KernelSource& operator=(const KernelSource&) = delete;

  static std::vector<std::string> names();

  bool usable() const { return why_not_.empty(); }
  const std::string& why_not() const { return why_not_; }
  // The variant of the highest score for the key, NULL when there is none.
  muster_kernel_function find(const muster_kernel_key& key) const;
  // Those of a pack.
  std::vector<const muster_kernel_variant*> variants() const;

 private:
  void open(const std::string& path);

  bool generic_ = false;
  std::string why_not_;
  void* file_ = nullptr;
  const muster_entry* entry_ = nullptr;
  muster_instance* instance_ = nullptr;
  const muster_kernels* kernels_ = nullptr;
};

}  // namespace muster

#endif

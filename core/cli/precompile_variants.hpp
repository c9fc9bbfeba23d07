// `muster precompile`, the part about what plugins declare: kernels of devices.
#ifndef MUSTER_CORE_CLI_PRECOMPILE_VARIANTS_HPP
#define MUSTER_CORE_CLI_PRECOMPILE_VARIANTS_HPP

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/cli/survey.hpp"
#include "core/query/variant_plugins.hpp"

namespace muster::cli {

// What the command line leaves of them; "" and 0 leave all.
struct VariantFilter {
  std::string family;  // with or without its version
  std::string algorithm;
  std::string dtype;
  unsigned ranks = 0;
  std::vector<std::string> architectures;  // empty: of the devices here
};

class PrecompiledVariants {
 public:
  // What could not be asked is in faults().
  PrecompiledVariants(Survey& survey, const VariantFilter& filter);

  const std::vector<std::string>& faults() const { return faults_; }
  bool empty() const { return variants_.empty(); }
  size_t size() const { return variants_.size(); }
  std::string directory() const { return store_.directory(); }

  struct Row {
    std::string name;
    std::string state;  // ready, missing, stale
    std::string text;
  };
  std::vector<Row> list() const;
  std::vector<std::string> clean() const;
  // What a pack has is ready.
  std::vector<BuildOutcome> build(unsigned jobs,
                                  const std::function<void(const BuildOutcome&)>& done) const;
  // All of them into one pack of plugins, `file`. They must have been built.
  Status pack(const std::string& file) const;

 private:
  const Survey& survey_;
  ImageStore store_;
  VariantPlugins plugins_;
  std::vector<std::string> faults_;
  std::vector<PlannedVariant> variants_;
};

}  // namespace muster::cli

#endif

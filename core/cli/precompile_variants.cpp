#include "core/cli/precompile_variants.hpp"

#include <algorithm>

#include "core/base/names.hpp"
#include "core/kernels/image_pack.hpp"

namespace muster::cli {
namespace {

bool chosen(const DeclaredVariant& variant, const VariantFilter& filter) {
  const std::string plain = variant.family.substr(0, variant.family.find('/'));
  const bool family =
      filter.family.empty() || filter.family == variant.family || filter.family == plain;
  const bool dtype = filter.dtype.empty() || (variant.dtype != MUSTER_DTYPE_NONE &&
                                              filter.dtype == dtype_name(variant.dtype));
  return family && dtype && (filter.algorithm.empty() || filter.algorithm == variant.algorithm) &&
         (filter.ranks == 0 || filter.ranks == variant.world_size);
}

}  // namespace

PrecompiledVariants::PrecompiledVariants(Survey& survey, const VariantFilter& filter)
    : survey_(survey),
      store_(image_store(survey.config)),
      plugins_(survey.found, survey.config, survey.records, &survey.kernels) {
  variants_ = plugins_.plan(filter.architectures, faults_);
  std::erase_if(variants_,
                [&](const PlannedVariant& planned) { return !chosen(planned.variant, filter); });
}

std::vector<PrecompiledVariants::Row> PrecompiledVariants::list() const {
  std::vector<Row> rows;
  for (const PlannedVariant& planned : variants_) {
    const ImageKey key = planned.variant.image_key();
    Row row{planned.variant.name(), "ready", survey_.kernels.images().pack_of(planned.variant)};
    if (row.text.empty() && store_.find(key)) {
      row.text = store_.file_of(key);
    } else if (row.text.empty()) {
      row.text = store_.stale_file(key);
      row.state = row.text.empty() ? "missing" : "stale";
      if (row.text.empty() && store_.failed_before(key))
        row.text = "failed before, the log is " + store_.file_of(key) + ".log";
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<std::string> PrecompiledVariants::clean() const {
  std::vector<ImageKey> keys;
  for (const PlannedVariant& planned : variants_) keys.push_back(planned.variant.image_key());
  return store_.clean(keys);
}

std::vector<BuildOutcome> PrecompiledVariants::build(
    unsigned jobs, const std::function<void(const BuildOutcome&)>& done) const {
  std::vector<BuildOutcome> outcomes;
  std::vector<PlannedVariant> lacking;
  for (const PlannedVariant& planned : variants_) {
    const std::string pack = survey_.kernels.images().pack_of(planned.variant);
    if (pack.empty()) {
      lacking.push_back(planned);
      continue;
    }
    outcomes.push_back({planned.variant.name(), BuildOutcome::State::kReady, pack, 0});
    done(outcomes.back());
  }
  for (BuildOutcome& outcome : build_variants(store_, lacking, jobs, -1, done))
    outcomes.push_back(std::move(outcome));
  return outcomes;
}

Status PrecompiledVariants::pack(const std::string& file) const {
  std::vector<PackedImage> images;
  for (const PlannedVariant& planned : variants_) {
    // Whatever the mode, nothing is built here.
    Result<std::string> image = survey_.kernels.images().get(planned.variant, VariantBuilder());
    if (!image.ok()) return image.take_status();
    images.push_back({planned.variant, std::move(*image)});
  }
  return write_image_pack(survey_.config, images, file);
}

}  // namespace muster::cli

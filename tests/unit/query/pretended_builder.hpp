// A plugin's table of muster.variants/1 with one variant and a builder that counts, and a pack with
// an image of that variant, as an entry in the test's own process.
#ifndef MUSTER_TESTS_UNIT_QUERY_PRETENDED_BUILDER_HPP
#define MUSTER_TESTS_UNIT_QUERY_PRETENDED_BUILDER_HPP

#include <string>

#include "core/kernels/variant_build.hpp"
#include "muster/entry.h"
#include "muster/kernels.h"

namespace muster {

DeclaredVariant pretended_variant();

struct PretendedBuilder {
  static void reset();
  static int builds();
  static void fail_with(const std::string& cause);
  static VariantBuilder builder();
};

extern const muster_entry pretended_pack;
const muster_kernels* pretended_pack_table();

}  // namespace muster

#endif

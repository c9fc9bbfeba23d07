// Which images a runtime hands out, and when it builds: with a pretended builder and a pretended
// pack.
#include "core/query/images.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "core/discover/judgement.hpp"
#include "core/discover/loader.hpp"
#include "core/kernels/exam.hpp"
#include "core/query/kernel_table.hpp"
#include "core/query/plugin.hpp"
#include "tests/unit/query/pretended_builder.hpp"

namespace muster {
namespace {

using testing::HasSubstr;

class RuntimeImages : public testing::Test {
 protected:
  RuntimeImages() {
    char name[] = "/tmp/muster-images-XXXXXX";
    directory_ = mkdtemp(name);
    config_.plugins_cache_dir.value = directory_;
    PretendedBuilder::reset();
  }
  ~RuntimeImages() override { std::filesystem::remove_all(directory_); }

  void start(const char* build, bool pack = false) {
    config_.kernels_build.value = build;
    std::vector<FoundPlugin> found;
    if (pack) {
      found.push_back(judge_in_process(pretended_pack, config_).found);
      found.back().path = preload_in_process(pretended_pack);
      found.back().state = PluginState::kUsable;
      found.back().kernels = examine_pack(*pretended_pack_table(), nullptr);
    }
    table_.add_found(found, config_, records_);
  }
  const Images& images() const { return table_.images(); }
  muster_image_state state() const { return images().state(kToy, builder_); }

  std::string directory_;
  Config config_;
  Records records_;
  KernelTable table_;
  const VariantBuilder builder_ = PretendedBuilder::builder();
  const DeclaredVariant kToy = pretended_variant();
};

TEST_F(RuntimeImages, GivenBuildsWithGroupsThenAMissingImageIsBuiltOnceAndServes) {
  start("group");
  EXPECT_EQ(state(), muster_image_state{MUSTER_IMAGE_BUILDABLE});
  for (int i = 0; i < 2; ++i) {
    const Result<std::string> image = images().get(kToy, builder_);
    ASSERT_TRUE(image.ok()) << image.status().message();
    EXPECT_EQ(*image, "image of " + kToy.name());
  }
  EXPECT_EQ(PretendedBuilder::builds(), 1);
  EXPECT_EQ(state(), muster_image_state{MUSTER_IMAGE_READY});
}

TEST_F(RuntimeImages, GivenAnyOtherModeThenNothingIsBuiltAndTheRemedyIsNamed) {
  for (const char* const mode : {"explicit", "background", "never"}) {
    start(mode);
    EXPECT_EQ(state(), muster_image_state{MUSTER_IMAGE_MISSING}) << mode;
    const Result<std::string> image = images().get(kToy, builder_);
    ASSERT_FALSE(image.ok());
    EXPECT_THAT(image.status().message(), HasSubstr(kToy.name()));
    EXPECT_THAT(image.status().remedy(), HasSubstr("muster precompile"));
  }
  EXPECT_EQ(PretendedBuilder::builds(), 0);
}

TEST_F(RuntimeImages, GivenWhatAnEarlierProcessBuiltThenItServesInEveryMode) {
  start("group");
  ASSERT_TRUE(images().get(kToy, builder_).ok());
  start("explicit");
  EXPECT_EQ(state(), muster_image_state{MUSTER_IMAGE_READY});
  EXPECT_TRUE(images().get(kToy, builder_).ok());
}

TEST_F(RuntimeImages, GivenNoToolchainThenWhatIsKeptServesAndElseNothingCanBeBuilt) {
  start("group");
  DeclaredVariant bare = kToy;
  bare.toolchain = "";
  EXPECT_EQ(images().state(bare, builder_), muster_image_state{MUSTER_IMAGE_MISSING});
  EXPECT_THAT(images().get(bare, builder_).status().remedy(), HasSubstr("pack"));
  ASSERT_TRUE(images().get(kToy, builder_).ok());
  EXPECT_EQ(images().state(bare, builder_), muster_image_state{MUSTER_IMAGE_READY});
  EXPECT_TRUE(images().get(bare, builder_).ok());
}

TEST_F(RuntimeImages, GivenAPackThenItServesWhateverTheToolchainAndNothingIsBuilt) {
  start("group", true);
  DeclaredVariant newer = kToy;
  newer.toolchain = "pretended-2";
  for (const DeclaredVariant& variant : {kToy, newer}) {
    EXPECT_EQ(images().state(variant, builder_), muster_image_state{MUSTER_IMAGE_READY});
    const Result<std::string> image = images().get(variant, builder_);
    ASSERT_TRUE(image.ok()) << image.status().message();
    EXPECT_EQ(*image, "packed");
  }
  EXPECT_EQ(PretendedBuilder::builds(), 0);
}

TEST_F(RuntimeImages, GivenAPackOfAnotherSourceThenItIsNeverLoaded) {
  start("explicit", true);
  DeclaredVariant changed = kToy;
  changed.source = "fedcba9876543210";
  EXPECT_EQ(images().state(changed, builder_), muster_image_state{MUSTER_IMAGE_MISSING});
  EXPECT_FALSE(images().get(changed, builder_).ok());
  EXPECT_EQ(images().pack_of(changed), "");
}

TEST_F(RuntimeImages, GivenABuildThatFailsThenTheCauseAndTheLogAreNamed) {
  start("group");
  PretendedBuilder::fail_with("no such luck");
  const Result<std::string> image = images().get(kToy, builder_);
  ASSERT_FALSE(image.ok());
  EXPECT_THAT(image.status().cause(), HasSubstr("no such luck"));
  EXPECT_THAT(image.status().cause(), HasSubstr(directory_ + "/images/" + kToy.name()));
}

TEST_F(RuntimeImages, GivenAHostThenItsInterfaceAnswersForThePluginsOwnVariants) {
  start("group");
  PluginHost host("toy", &records_, nullptr, &table_);
  host.set_variants(builder_);
  const auto* const table =
      static_cast<const muster_images*>(host.get_interface(&host, MUSTER_IMAGES_INTERFACE));
  ASSERT_NE(table, nullptr);
  const muster_variant variant = kToy.view();
  EXPECT_EQ(table->state(&host, &variant), muster_image_state{MUSTER_IMAGE_BUILDABLE});
  std::string image;
  const muster_image_sink sink{MUSTER_IMAGE_SINK_SIZE, 0, &image,
                               [](void* context, const void* bytes, uint64_t count) {
                                 static_cast<std::string*>(context)->assign(
                                     static_cast<const char*>(bytes), count);
                               },
                               nullptr};
  EXPECT_EQ(table->get(&host, &variant, &sink), nullptr);
  EXPECT_EQ(image, "image of " + kToy.name());
}

TEST_F(RuntimeImages, GivenAPluginThatAsksWhileItIsOpenedThenItHasTheInterfaceAndNothingIsReady) {
  PluginHost host("toy", &records_, nullptr, &table_);
  host.set_variants(builder_);
  const auto* const table =
      static_cast<const muster_images*>(host.get_interface(&host, MUSTER_IMAGES_INTERFACE));
  ASSERT_NE(table, nullptr);
  const muster_variant variant = kToy.view();
  EXPECT_EQ(table->state(&host, &variant), muster_image_state{MUSTER_IMAGE_MISSING});
  start("group");
  EXPECT_EQ(table->state(&host, &variant), muster_image_state{MUSTER_IMAGE_BUILDABLE});
}

TEST_F(RuntimeImages, GivenAHostWithoutARuntimeThenThereAreNoImages) {
  PluginHost host("toy", &records_, nullptr);
  EXPECT_EQ(host.get_interface(&host, MUSTER_IMAGES_INTERFACE), nullptr);
}

TEST(Variants, GivenKeysThenNoTwoHaveOneName) {
  DeclaredVariant variant = pretended_variant();
  const std::string name = variant.name();
  EXPECT_EQ(name, "toy-1.sums.bf16.2.toy_90");
  for (const auto& change : {+[](DeclaredVariant& v) { v.world_size = 4; },
                             +[](DeclaredVariant& v) { v.algorithm = "pulls"; },
                             +[](DeclaredVariant& v) { v.dtype = MUSTER_F32; },
                             +[](DeclaredVariant& v) { v.redop = MUSTER_MAX; },
                             +[](DeclaredVariant& v) { v.architecture = "toy_100"; }}) {
    DeclaredVariant other = variant;
    change(other);
    EXPECT_NE(other.name(), name);
  }
}

TEST(Variants, GivenADeclarationWithAWordThatIsNoneThenItIsRefused) {
  const DeclaredVariant good = pretended_variant();
  muster_variant variant = good.view();
  EXPECT_TRUE(read_variant(variant).ok());
  variant.source = "two words";
  EXPECT_FALSE(read_variant(variant).ok());
  variant = good.view();
  variant.key.family = nullptr;
  EXPECT_FALSE(read_variant(variant).ok());
}

}  // namespace
}  // namespace muster

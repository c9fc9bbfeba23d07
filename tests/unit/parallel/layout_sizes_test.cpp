// Sizes: read, completed, or refused with what is wrong.
#include "core/parallel/layout_sizes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster {
namespace {

using ::testing::HasSubstr;

std::string error_of(const std::string& text) {
  const Result<muster_layout_sizes> sizes = parse_layout(text);
  EXPECT_FALSE(sizes.ok()) << text;
  EXPECT_EQ(sizes.status().code(), MUSTER_INVALID_ARGUMENT);
  return sizes.status().cause() + "; " + sizes.status().remedy();
}

Result<LayoutSizes> complete(const std::string& text, uint32_t world) {
  const Result<muster_layout_sizes> sizes = parse_layout(text);
  EXPECT_TRUE(sizes.ok()) << sizes.status().message();
  return complete_layout(*sizes, world);
}

std::string refusal_of(const std::string& text, uint32_t world) {
  const Result<LayoutSizes> sizes = complete(text, world);
  EXPECT_FALSE(sizes.ok()) << text;
  EXPECT_EQ(sizes.status().code(), MUSTER_INVALID_ARGUMENT);
  EXPECT_FALSE(sizes.status().remedy().empty());
  return sizes.status().cause();
}

TEST(LayoutSizes, GivenATextWhenParsedThenItSaysWhatIsNamedAndNothingElse) {
  const Result<muster_layout_sizes> sizes =
      parse_layout(" tp=8, ep = 4,attn_dp=2,shared_experts_tp=1");
  ASSERT_TRUE(sizes.ok());
  EXPECT_EQ(sizes->struct_size, MUSTER_LAYOUT_SIZES_SIZE);
  EXPECT_EQ(sizes->tp, 8u);
  EXPECT_EQ(sizes->ep, 4u);
  EXPECT_EQ(sizes->attn_dp, 2u);
  EXPECT_EQ(sizes->shared_experts_tp, 1u);
  EXPECT_EQ(sizes->pp, 0u);
  EXPECT_EQ(sizes->dcp, 0u);
  EXPECT_EQ(parse_layout("")->tp, 0u);
  EXPECT_EQ(parse_layout("moe_ep=4")->ep, 4u);
  EXPECT_EQ(parse_layout("tp=4294967295")->tp, UINT32_MAX);
}

TEST(LayoutSizes, GivenAWrongWordWhenParsedThenItIsNamedWithWhatIsMeant) {
  EXPECT_THAT(error_of("tp=8,atn_dp=2"), HasSubstr("'atn_dp=2': there is no size 'atn_dp'; did "
                                                   "you mean 'attn_dp'?"));
  EXPECT_THAT(error_of("expertise=2"), HasSubstr("the sizes are tp, pp, dp"));
  EXPECT_THAT(error_of("attn_tp=2"), HasSubstr("it follows: tp / attn_dp / attn_cp"));
  EXPECT_THAT(error_of("moe_tp=2"), HasSubstr("it follows: tp / moe_dp / ep"));
  EXPECT_THAT(error_of("tp=8,pp=2,tp=8"), HasSubstr("tp is given twice"));
  EXPECT_THAT(error_of("ep=8,moe_ep=8"), HasSubstr("moe_ep is given twice"));
  for (const char* const number : {"", "0", "-1", "+8", "8x", "0x8", "4294967296", "8.0"})
    EXPECT_THAT(error_of("tp=" + std::string(number)), HasSubstr("is not a size")) << number;
  EXPECT_THAT(error_of("tp"), HasSubstr("'tp': is not of the form key=number"));
  EXPECT_THAT(error_of("tp=8,"), HasSubstr("is not of the form"));
  EXPECT_THAT(error_of("tp=8;ep=2"), HasSubstr("'8;ep=2' is not a size"));
}

TEST(LayoutSizes, GivenSomeSizesWhenCompletedThenTheOthersFollow) {
  EXPECT_EQ(layout_text(*complete("tp=8,attn_dp=2,ep=2", 16 / 2)),
            "world=8,tp=8,pp=1,dp=1,attn_dp=2,attn_cp=1,attn_tp=4,ep=2,moe_dp=1,moe_tp=4,dcp=1,"
            "shared_experts_tp=8");
  EXPECT_EQ(layout_text(*complete("pp=2,dp=2,attn_cp=4,moe_dp=2,dcp=2,shared_experts_tp=2", 16)),
            "world=16,tp=4,pp=2,dp=2,attn_dp=1,attn_cp=4,attn_tp=1,ep=1,moe_dp=2,moe_tp=2,dcp=2,"
            "shared_experts_tp=2");
  EXPECT_EQ(complete("", 6)->tp, 6u);
}

TEST(LayoutSizes, GivenSizesThatDoNotFitThenTheEquationThatFailsIsTheCause) {
  EXPECT_EQ(refusal_of("tp=8,pp=2", 8),
            "layout: tp 8 x pp 2 x dp 1 = 16, but the world has 8 ranks");
  EXPECT_EQ(refusal_of("tp=4", 8), "layout: tp 4 x pp 1 x dp 1 = 4, but the world has 8 ranks");
  EXPECT_EQ(refusal_of("pp=3", 8), "layout: pp 3 x dp 1 does not divide a world of 8");
  EXPECT_EQ(refusal_of("tp=8,attn_dp=3", 8), "layout: attn_dp 3 x attn_cp 1 does not divide tp 8");
  EXPECT_EQ(refusal_of("tp=8,attn_dp=4,attn_cp=4", 8),
            "layout: attn_dp 4 x attn_cp 4 does not divide tp 8");
  EXPECT_EQ(refusal_of("tp=8,ep=3", 8), "layout: moe_dp 1 x ep 3 does not divide tp 8");
  EXPECT_EQ(refusal_of("tp=8,dcp=5", 8), "layout: dcp 5 does not divide tp 8");
  EXPECT_EQ(refusal_of("tp=8,shared_experts_tp=16", 8),
            "layout: shared_experts_tp 16 does not divide tp 8");
  EXPECT_EQ(refusal_of("", 0), "layout: a world has at least one rank");
}

TEST(LayoutSizes, GivenProductsThatOverflowThenTheyAreRefusedAndNotWrapped) {
  EXPECT_EQ(refusal_of("tp=65536,pp=65536", 1),
            "layout: tp 65536 x pp 65536 x dp 1 = 4294967296, but the world has 1 ranks");
  EXPECT_EQ(refusal_of("tp=4194304,pp=2097152,dp=2097152", 1),
            "layout: tp 4194304 x pp 2097152 x dp 2097152 is more than 2^64, but the world has 1 "
            "ranks");
  EXPECT_EQ(refusal_of("pp=65536,dp=65537", 65536),
            "layout: pp 65536 x dp 65537 does not divide a world of 65536");
  EXPECT_EQ(refusal_of("attn_dp=65536,attn_cp=65536", 8),
            "layout: attn_dp 65536 x attn_cp 65536 does not divide tp 8");
}

}  // namespace
}  // namespace muster

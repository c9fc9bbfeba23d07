#include <gtest/gtest.h>

#include <array>
#include <string>

#include "core/base/digest.hpp"
#include "core/base/names.hpp"
#include "core/base/status.hpp"
#include "core/base/units.hpp"

namespace muster {
namespace {

TEST(Status, GivenAFailureThenItCarriesCodeCauseAndRemedyInOneMessage) {
  const Status status(MUSTER_PEER_LOST, "rank 1 left", "start it again");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.code(), uint32_t{MUSTER_PEER_LOST});
  EXPECT_EQ(status.message(), "PEER_LOST: rank 1 left; start it again");
  EXPECT_EQ(status.within("group tp").cause(), "group tp: rank 1 left");
  EXPECT_EQ(status.copy().message(), status.message());
}

TEST(Status, GivenOkThenItOwnsNothing) {
  Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.code(), uint32_t{MUSTER_OK});
  EXPECT_TRUE(status.within("here").ok());
  EXPECT_EQ(status.release(), nullptr);
}

TEST(Status, GivenOwnershipIsReleasedThenTheStatusIsOkAndTheOwnedOneWhole) {
  Status status(MUSTER_INTERNAL, "cause");
  const Status taken(status.release());
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(taken.cause(), "cause");
}

TEST(Result, GivenAValueOrAStatusThenItTellsWhich) {
  EXPECT_EQ(Result<int>(3).value(), 3);
  const Result<int> failed = Status(MUSTER_NOT_FOUND, "none");
  EXPECT_FALSE(failed.ok());
  EXPECT_EQ(failed.status().cause(), "none");
}

TEST(Names, GivenEveryValueOfAVocabularyThenItsNameLeadsBackToIt) {
  for (muster_op op = 1; op < MUSTER_OP_END; ++op) EXPECT_EQ(op_from_name(op_name(op)), op);
  for (muster_dtype dtype = 1; dtype < MUSTER_DTYPE_END; ++dtype) {
    EXPECT_EQ(dtype_from_name(dtype_name(dtype)), dtype);
    EXPECT_GT(dtype_size(dtype), 0u);
  }
  for (muster_redop redop = 1; redop < MUSTER_REDOP_END; ++redop) {
    EXPECT_EQ(redop_from_name(redop_name(redop)), redop);
  }
  EXPECT_EQ(op_from_name("none"), std::nullopt);
  EXPECT_STREQ(dtype_name(MUSTER_DTYPE_END), "unknown");
}

TEST(Names, GivenAMisspeltNameThenTheNearestIsSuggestedAndAStrangerIsNot) {
  constexpr std::array<std::string_view, 3> kNames = {"all_reduce", "all_gather", "barrier"};
  EXPECT_EQ(nearest_name("all_reduse", kNames), "all_reduce");
  EXPECT_EQ(nearest_name("barier", kNames), "barrier");
  EXPECT_EQ(nearest_name("zzzzzzzz", kNames), "");
}

TEST(Names, GivenBitwiseOperationsThenTheyApplyToIntegersOnly) {
  EXPECT_TRUE(redop_applies(MUSTER_BXOR, MUSTER_BOOL));
  EXPECT_FALSE(redop_applies(MUSTER_LAND, MUSTER_F32));
  EXPECT_TRUE(redop_applies(MUSTER_AVG, MUSTER_BF16));
  EXPECT_FALSE(redop_applies(MUSTER_REDOP_NONE, MUSTER_I32));
}

TEST(Units, GivenSizesAsPeopleWriteThemThenTheyAreRead) {
  EXPECT_EQ(parse_bytes("0").value(), 0u);
  EXPECT_EQ(parse_bytes("64K").value(), 65536u);
  EXPECT_EQ(parse_bytes("1MiB").value(), 1048576u);
  EXPECT_EQ(parse_bytes("16383T").value(), uint64_t{16383} << 40);
}

TEST(Units, GivenTextThatIsNoSizeThenItSaysWhy) {
  EXPECT_EQ(parse_bytes("").status().code(), uint32_t{MUSTER_INVALID_ARGUMENT});
  EXPECT_EQ(parse_bytes("-1").status().code(), uint32_t{MUSTER_INVALID_ARGUMENT});
  EXPECT_EQ(parse_bytes("1 MB").status().code(), uint32_t{MUSTER_INVALID_ARGUMENT});
  EXPECT_EQ(parse_bytes("99999999999999999999").status().code(), uint32_t{MUSTER_OUT_OF_RANGE});
  EXPECT_EQ(parse_bytes("17000000T").status().code(), uint32_t{MUSTER_OUT_OF_RANGE});
}

TEST(Units, GivenAnyNumberThenItsTextReadsBackToIt) {
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{1536}, uint64_t{65536}, uint64_t{1} << 40}) {
    EXPECT_EQ(parse_bytes(format_bytes(bytes)).value(), bytes);
  }
  EXPECT_EQ(format_bytes(1048576), "1MiB");
}

TEST(Digest, GivenEqualBytesThenEqualDigestsOfThirtyTwoDigits) {
  EXPECT_EQ(digest_of("abc"), digest_of("abc"));
  EXPECT_NE(digest_of("abc"), digest_of("abd"));
  EXPECT_EQ(digest_of("").text(), "99aa06d3014798d86001c324468d497f");  // XXH3's published value
  EXPECT_EQ(digest_of("abc").short_text(), digest_of("abc").text().substr(0, 8));
}

}  // namespace
}  // namespace muster

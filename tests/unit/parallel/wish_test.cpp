// Wishes of all ranks: whether they fit together, and the order in which they come true.
#include "core/parallel/wish.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

GroupWish wish(std::vector<uint32_t> ranks, std::string name = "group") {
  GroupWish made;
  made.ranks = std::move(ranks);
  made.name = std::move(name);
  return made;
}

std::vector<TextWish> told(const std::vector<GroupWish>& wishes) {
  return *decode_wishes(encode(wishes));
}

TEST(Wishes, GivenWishesOfAllMembersThenTheyFit) {
  EXPECT_TRUE(check_wishes(std::vector<std::vector<TextWish>>{}).ok());
  EXPECT_TRUE(
      check_wishes(std::vector{told({wish({0, 1}), wish({2, 0}), wish({0, 1})}),
                               told({wish({0, 1}), wish({0, 1})}), told({wish({2, 0})}), told({})})
          .ok());
}

TEST(Wishes, GivenMembersThatDoNotAskThenAllOfThemAreNamed) {
  const Status status =
      check_wishes(std::vector{told({}), told({wish({1, 0, 2, 3})}), told({}), told({})});
  EXPECT_EQ(status.code(), MUSTER_MISMATCH);
  EXPECT_EQ(status.cause(),
            "group [1, 0, 2, 3] is asked for once by rank 1, but not by rank 0, rank 2, rank 3");
}

TEST(Wishes, GivenAMemberThatAsksLessOftenThenItIsNamedWithHowOften) {
  const Status status =
      check_wishes(std::vector{told({wish({0, 1})}), told({wish({0, 1}), wish({0, 1})})});
  EXPECT_EQ(status.cause(),
            "group [0, 1] is asked for 2 times by rank 1, but not by rank 0 (which asks for it "
            "once)");
}

TEST(Wishes, GivenAnotherOrderOfRanksThenItIsAnotherGroup) {
  EXPECT_THAT(check_wishes(std::vector{told({wish({0, 1})}), told({wish({1, 0})})}).cause(),
              HasSubstr("group [0, 1] is asked for once by rank 0, but not by rank 1"));
}

TEST(Wishes, GivenDifferentOptionsThenBothAreTold) {
  const Status status =
      check_wishes(std::vector{told({wish({0, 1}, "a")}), told({wish({0, 1}, "b")})});
  EXPECT_EQ(status.code(), MUSTER_MISMATCH);
  EXPECT_THAT(status.cause(), HasSubstr("rank 0 asks for 'name a memory host"));
  EXPECT_THAT(status.cause(), HasSubstr("rank 1 for 'name b memory host"));
}

TEST(Wishes, GivenTwoGroupsOfOneListThenTheirOrderDoesNotMatter) {
  EXPECT_TRUE(check_wishes(std::vector{told({wish({0, 1}, "a"), wish({0, 1}, "b")}),
                                       told({wish({0, 1}, "b"), wish({0, 1}, "a")})})
                  .ok());
}

TEST(Wishes, GivenAnyOrderOfWishesThenGroupsAreMadeByListThenOptionsThenTurn) {
  EXPECT_THAT(creation_order(std::vector{wish({1, 2}), wish({0, 1}, "b"), wish({0, 1}, "a"),
                                         wish({0, 1}, "b"), wish({0})}),
              ElementsAre(4, 2, 1, 3, 0));
}

TEST(Wishes, GivenBytesThatAreNoWishesThenTheyAreRefused) {
  for (const char* const bytes : {"", "3", "[[1]]", "[[[1],2]]", "[[[\"x\"],\"\"]]"})
    EXPECT_EQ(decode_wishes(bytes).status().code(), MUSTER_DATA_LOSS) << bytes;
}

}  // namespace
}  // namespace muster

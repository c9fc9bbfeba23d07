// Objects of tensors.hpp, and its names of nested dictionaries.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/tensors/shm_world.hpp"

namespace muster::testing {
namespace {

struct Point {
  int32_t x;
  double y;
};

TEST(Objects, GivenStringsVectorsAndStructsThenTheyReachEveryRankAndEveryPeer) {
  on_ranks(3, [](api::Group& group) {
    const bool root = group.rank() == 2;
    EXPECT_EQ(api::broadcast_object(group, root ? std::string("a longer text") : std::string(), 2),
              "a longer text");
    EXPECT_EQ(
        api::broadcast_object(group, root ? std::vector<int>{1, 2, 3} : std::vector<int>(), 2),
        (std::vector<int>{1, 2, 3}));
    EXPECT_EQ(api::broadcast_object(group, std::vector<int>(), 2).size(), 0u);
    const Point point = api::broadcast_object(group, root ? Point{7, 2.5} : Point{}, 2);
    EXPECT_EQ(point.x, 7);
    EXPECT_EQ(point.y, 2.5);
    if (group.rank() == 0) {
      api::send_object(group, std::string("for one"), 1);
      api::send_object(group, Point{1, 1}, 1);
    }
    if (group.rank() == 1) {
      EXPECT_EQ(api::recv_object<std::string>(group, 0), "for one");
      EXPECT_EQ(failure_of([&] { api::recv_object<int32_t>(group, 0); }).code, MUSTER_MISMATCH);
    }
    group.barrier();
  });
}

TEST(Objects, GivenNestedNamesThenTheyAreFoundByTheirPrefix) {
  api::Dict dict;
  dict.add_value(api::path("model", "a", "scale"), 2.0);
  dict.add_value("modelling", 1);
  dict.add_value(api::path("model", std::string("b")), std::string("text"));
  const std::vector<muster_dict_entry> nested = dict.under("model");
  ASSERT_EQ(nested.size(), 2u);
  EXPECT_STREQ(nested[0].name, "model/a/scale");
  EXPECT_STREQ(nested[1].name, "model/b");
  EXPECT_EQ(dict.value<double>("model/a/scale"), 2.0);
  EXPECT_EQ(dict.value<std::string>("model/b"), "text");
  EXPECT_EQ(failure_of([&] { dict.value<int64_t>("modelling"); }).code, MUSTER_MISMATCH);
}

}  // namespace
}  // namespace muster::testing

// The container by itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/tensors/shm_world.hpp"

namespace muster::testing {
namespace {

using ::testing::HasSubstr;

TEST(Dict, GivenTenThousandEntriesThenEachIsFoundAndTheOrderIsThatOfAdding) {
  api::Dict dict;
  std::vector<float> data(10000);
  for (int i = 0; i < 10000; ++i) dict.add("entry/" + std::to_string(i), &data[i], {1});
  EXPECT_EQ(dict.size(), 10000u);
  for (int i = 0; i < 10000; ++i) {
    const std::string name = "entry/" + std::to_string(i);
    ASSERT_EQ(dict.find(name).data, &data[i]);
    ASSERT_EQ(dict.at(i).name, name);
  }
}

TEST(Dict, GivenEntriesThenTheyAreDescribedAsTheyWereAdded) {
  api::Dict dict;
  double data[12];
  std::string value = "value";
  {
    std::string name = "a";
    api::Shape shape = {3, 4};
    dict.add(name, data, shape);
    dict.add_value("b", value);
    name = "changed";
    shape = {9};
    value = "other";
  }
  dict.add("scalar", data, {});
  dict.add("empty", nullptr, {4, 0}, MUSTER_BF16, MUSTER_CUDA);
  const muster_dict_entry tensor = dict.at(0);
  EXPECT_STREQ(tensor.name, "a");
  EXPECT_EQ(tensor.kind, uint32_t{MUSTER_DICT_TENSOR});
  EXPECT_EQ(tensor.dtype, uint32_t{MUSTER_F64});
  EXPECT_EQ(tensor.memory, uint32_t{MUSTER_HOST});
  ASSERT_EQ(tensor.dims, 2u);
  EXPECT_EQ(tensor.shape[0], 3u);
  EXPECT_EQ(tensor.shape[1], 4u);
  EXPECT_EQ(tensor.bytes, 96u);
  EXPECT_EQ(tensor.data, data);
  EXPECT_EQ(dict.value<std::string>("b"), "value");
  EXPECT_EQ(dict.find("scalar").bytes, 8u);
  EXPECT_EQ(dict.find("scalar").dims, 0u);
  EXPECT_EQ(dict.find("empty").bytes, 0u);
}

TEST(Dict, GivenMistakesThenTheyAreNamedAndNothingIsAdded) {
  api::Dict dict;
  double data[4];
  const auto code = [&](const std::function<void()>& body) { return failure_of(body).code; };
  dict.add("weights", data, {4});
  const Failed failed = failure_of([&] { dict.add_value("weights", 1); });
  EXPECT_EQ(failed.code, MUSTER_INVALID_ARGUMENT);
  EXPECT_THAT(failed.cause, HasSubstr("'weights'"));
  EXPECT_EQ(code([&] { dict.add("x", data, api::Shape(9, 1)); }), MUSTER_INVALID_ARGUMENT);
  EXPECT_EQ(code([&] { dict.add("x", data, {1}, 77); }), MUSTER_INVALID_ARGUMENT);
  EXPECT_EQ(code([&] { dict.add("x", data, {1}, MUSTER_F32, MUSTER_MEMORY_DEFAULT); }),
            MUSTER_INVALID_ARGUMENT);
  EXPECT_EQ(code([&] { dict.add("x", data, {1}, MUSTER_F32, 77); }), MUSTER_INVALID_ARGUMENT);
  EXPECT_EQ(code([&] { dict.add("x", nullptr, {1}, MUSTER_F32); }), MUSTER_INVALID_ARGUMENT);
  EXPECT_EQ(code([&] { dict.add("x", data, {uint64_t{1} << 63, 4}); }), MUSTER_OUT_OF_RANGE);
  EXPECT_EQ(code([&] { dict.add_value("x", std::string(65537, 'x')); }), MUSTER_INVALID_ARGUMENT);
  EXPECT_EQ(code([&] { dict.at(1); }), MUSTER_OUT_OF_RANGE);
  EXPECT_EQ(dict.size(), 1u);
  const Failed missing = failure_of([&] { dict.find("weight"); });
  EXPECT_EQ(missing.code, MUSTER_NOT_FOUND);
  EXPECT_THAT(missing.remedy, HasSubstr("'weights'"));
  dict.add_value("just fits", std::string(65536, 'x'));

  muster_dict_entry unset = {};
  EXPECT_EQ(code([&] { api::check(muster_dict_at(dict.get(), 0, &unset)); }),
            MUSTER_INVALID_ARGUMENT);
  EXPECT_EQ(code([&] { api::check(muster_dict_create(nullptr)); }), MUSTER_INVALID_ARGUMENT);
  EXPECT_EQ(muster_dict_count(nullptr), 0u);
  muster_dict_release(nullptr);
}

}  // namespace
}  // namespace muster::testing

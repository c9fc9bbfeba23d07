// Descriptions there and back, and what is none.
#include "core/tensors/dict_description.hpp"

#include <gtest/gtest.h>

#include <random>

namespace muster {
namespace {

DictEntry made(Result<DictEntry> entry) {
  EXPECT_TRUE(entry.ok()) << entry.status().message();
  return std::move(*entry);
}

muster_dict example() {
  muster_dict dict;
  const uint64_t shape[] = {3, 0, 5, 1, 1, 2, 7, 9};
  EXPECT_TRUE(dict.add(made(make_tensor("eight", shape, 8, MUSTER_F8E4M3, MUSTER_CUDA))).ok());
  EXPECT_TRUE(dict.add(made(make_tensor("", nullptr, 0, MUSTER_F64, MUSTER_HOST))).ok());
  EXPECT_TRUE(dict.add(made(make_value("nested/value", "some bytes", 10))).ok());
  EXPECT_TRUE(dict.add(made(make_value("no bytes", nullptr, 0))).ok());
  EXPECT_TRUE(dict.add(made(make_tensor("last", shape, 1, MUSTER_I16, MUSTER_HOST))).ok());
  return dict;
}

TEST(DictDescription, GivenADictionaryThenItsDescriptionIsReadBackAsItIs) {
  const muster_dict dict = example();
  const std::string bytes = describe_dict(dict, {4, 2});
  const auto read = parse_description(bytes);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->slice.count, 4u);
  EXPECT_EQ(read->slice.index, 2u);
  ASSERT_EQ(read->dict.size(), dict.size());
  for (size_t i = 0; i < dict.size(); ++i) {
    EXPECT_EQ(read->dict.entries()[i].name, dict.entries()[i].name);
    EXPECT_EQ(read->dict.entries()[i].text(), dict.entries()[i].text());
    EXPECT_EQ(read->dict.entries()[i].bytes, dict.entries()[i].bytes);
  }
  EXPECT_EQ(describe_dict(read->dict, read->slice), bytes);
  EXPECT_EQ(layout_digest(read->dict), layout_digest(dict));
}

TEST(DictDescription, GivenEveryPlaceToCutThenItIsDataLoss) {
  const std::string bytes = describe_dict(example());
  for (size_t length = 0; length < bytes.size(); ++length) {
    const std::vector<char> cut(bytes.begin(), bytes.begin() + static_cast<long>(length));
    const auto read = parse_description({cut.data(), cut.size()});
    ASSERT_EQ(read.status().code(), MUSTER_DATA_LOSS) << length;
  }
  EXPECT_EQ(parse_description(bytes + '\0').status().code(), MUSTER_DATA_LOSS);
}

TEST(DictDescription, GivenDamagedBytesThenTheyAreRefusedOrAnotherValidDescription) {
  const std::string bytes = describe_dict(example(), {2, 1});
  std::mt19937_64 random(20240701);
  size_t refused = 0;
  for (int i = 0; i < 20000; ++i) {
    std::vector<char> damaged(bytes.begin(), bytes.end());
    const uint64_t damages = 1 + random() % 4;
    for (uint64_t d = 0; d < damages; ++d) {
      char& byte = damaged[random() % damaged.size()];
      byte = static_cast<char>(random() % 2 == 0 ? byte ^ (1 << random() % 8) : random());
    }
    if (random() % 4 == 0) damaged.resize(random() % (damaged.size() + 1));
    damaged.shrink_to_fit();
    const auto read = parse_description({damaged.data(), damaged.size()});
    if (!read.ok()) {
      ASSERT_EQ(read.status().code(), MUSTER_DATA_LOSS);
      ++refused;
      continue;
    }
    ASSERT_EQ(describe_dict(read->dict, read->slice), std::string(damaged.begin(), damaged.end()));
  }
  EXPECT_GT(refused, 10000u);
}

TEST(DictDescription, GivenAnotherValueThenTheLayoutIsTheSameAndWithAnotherShapeItIsNot) {
  muster_dict dict = example();
  const Digest before = layout_digest(dict);
  static_cast<char*>(dict.find("nested/value")->data)[0] = 'S';
  EXPECT_EQ(layout_digest(dict), before);
  dict.find("last")->shape[0] = 4;
  EXPECT_NE(layout_digest(dict), before);
}

}  // namespace
}  // namespace muster

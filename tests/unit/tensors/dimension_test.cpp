// Along every dimension of many shapes, against nested loops over indices.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/tensors/shm_world.hpp"

namespace muster::testing {
namespace {

using api::Shape;
using ::testing::HasSubstr;

const std::vector<Shape> kShapes = {{1},       {7},       {0},          {3, 5},       {5, 1},
                                    {2, 0, 3}, {2, 1, 3}, {4, 3, 2},    {1, 1, 7},    {2, 3, 1, 5},
                                    {1, 2, 2}, {3, 4, 0}, {4, 2, 3, 2}, {1, 1, 3, 17}};

uint64_t product(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), uint64_t{1}, std::multiplies<>());
}

// Calls visit with every index of a shape, in order.
void for_each_index(const Shape& shape, Shape& index, size_t d,
                    const std::function<void(const Shape&)>& visit) {
  if (d == shape.size()) return visit(index);
  for (index[d] = 0; index[d] < shape[d]; ++index[d]) for_each_index(shape, index, d + 1, visit);
}
void for_each_index(const Shape& shape, const std::function<void(const Shape&)>& visit) {
  Shape index(shape.size());
  for_each_index(shape, index, 0, visit);
}

uint64_t flat(const Shape& shape, const Shape& index) {
  uint64_t at = 0;
  for (size_t d = 0; d < shape.size(); ++d) at = at * shape[d] + index[d];
  return at;
}

// Small, so that sums of a few are exact in a byte.
template <typename T>
T element(uint32_t rank, uint64_t at) {
  return static_cast<T>((rank * 11 + at * 7 + at / 5) % 25);
}
template <typename T>
std::vector<T> tensor(const Shape& shape, uint32_t rank) {
  std::vector<T> out(product(shape));
  for (size_t i = 0; i < out.size(); ++i) out[i] = element<T>(rank, i);
  return out;
}

Shape scaled(Shape shape, uint32_t dim, uint32_t factor) {
  shape[dim] *= factor;
  return shape;
}

template <typename T>
std::vector<T> gathered(const Shape& shape, uint32_t dim, uint32_t ranks) {
  std::vector<T> out;
  for_each_index(scaled(shape, dim, ranks), [&](Shape index) {
    const auto rank = static_cast<uint32_t>(index[dim] / shape[dim]);
    index[dim] %= shape[dim];
    out.push_back(element<T>(rank, flat(shape, index)));
  });
  return out;
}

// shape: of the result.
template <typename T>
std::vector<T> scattered_sum(const Shape& shape, uint32_t dim, uint32_t ranks, uint32_t rank) {
  std::vector<T> out;
  for_each_index(shape, [&](Shape index) {
    index[dim] += rank * shape[dim];
    T sum{};
    for (uint32_t r = 0; r < ranks; ++r)
      sum = static_cast<T>(sum + element<T>(r, flat(scaled(shape, dim, ranks), index)));
    out.push_back(sum);
  });
  return out;
}

template <typename T>
void try_shape(api::Group& group, const Shape& shape, uint32_t dim) {
  const uint32_t ranks = group.size();
  const uint32_t rank = group.rank();
  const std::vector<T> mine = tensor<T>(shape, rank);
  const auto whole = gathered<T>(shape, dim, ranks);
  std::vector<T> recv(whole.size(), T{99});
  api::all_gather_dim(group, mine.data(), recv.data(), shape, dim);
  EXPECT_EQ(recv, whole);

  const uint32_t root = (dim + 1) % ranks;
  std::vector<T> at_root(rank == root ? whole.size() : 0, T{99});
  api::gather_dim(group, mine.data(), rank == root ? at_root.data() : nullptr, shape, dim, root);
  if (rank == root) {
    EXPECT_EQ(at_root, whole);
  }

  const Shape large = scaled(shape, dim, ranks);
  const std::vector<T> addend = tensor<T>(large, rank);
  std::vector<T> sum(product(shape), T{99});
  api::reduce_scatter_dim(group, addend.data(), sum.data(), large, dim, MUSTER_SUM);
  EXPECT_EQ(sum, scattered_sum<T>(shape, dim, ranks, rank));
}

class Dimension : public ::testing::TestWithParam<uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Ranks, Dimension, ::testing::Values(1, 2, 3, 4));

TEST_P(Dimension, GivenEveryDimensionOfManyShapesThenResultsAreThoseOfIndexLoops) {
  on_ranks(GetParam(), [](api::Group& group) {
    for (const Shape& shape : kShapes) {
      for (uint32_t dim = 0; dim < shape.size(); ++dim) {
        SCOPED_TRACE(::testing::PrintToString(shape) + " dim " + std::to_string(dim));
        try_shape<uint8_t>(group, shape, dim);
        try_shape<int16_t>(group, shape, dim);
        try_shape<float>(group, shape, dim);
        try_shape<double>(group, shape, dim);
      }
    }
  });
}

TEST(DimensionInPlace, GivenDimensionZeroThenThePlainFormsInPlaceAreTaken) {
  on_ranks(3, [](api::Group& group) {
    const Shape shape = {2, 5};
    const uint32_t rank = group.rank();
    std::vector<int> whole(30);
    const std::vector<int> mine = tensor<int>(shape, rank);
    std::copy(mine.begin(), mine.end(), whole.begin() + rank * 10);
    api::all_gather_dim(group, whole.data() + rank * 10, whole.data(), shape, 0);
    EXPECT_EQ(whole, gathered<int>(shape, 0, 3));

    std::vector<int> addend = tensor<int>({6, 5}, rank);
    api::reduce_scatter_dim(group, addend.data(), addend.data() + rank * 10, {6, 5}, 0, MUSTER_SUM);
    const auto sum = scattered_sum<int>(shape, 0, 3, rank);
    EXPECT_TRUE(std::equal(sum.begin(), sum.end(), addend.begin() + rank * 10));
  });
}

TEST(DimensionRefusals, GivenMistakesThenTheyAreNamedAndTheGroupGoesOn) {
  on_ranks(2, [](api::Group& group) {
    std::vector<float> data(64);
    float* const p = data.data();
    const auto gather = [&](const Shape& shape, uint32_t dim) {
      return failure_of([&] { api::all_gather_dim(group, p, p + 32, shape, dim); });
    };
    Failed failed = gather({2, 3}, 2);
    EXPECT_EQ(failed.code, MUSTER_INVALID_ARGUMENT);
    EXPECT_THAT(failed.cause, HasSubstr("shape [2, 3], dim 2"));
    EXPECT_EQ(gather({}, 0).code, MUSTER_INVALID_ARGUMENT);
    EXPECT_THAT(gather(Shape(9, 1), 0).cause, HasSubstr("9 dimensions"));
    EXPECT_EQ(gather({uint64_t{1} << 40, uint64_t{1} << 40}, 1).code, MUSTER_OUT_OF_RANGE);
    EXPECT_EQ(gather({2, uint64_t{1} << 59}, 1).code, MUSTER_OUT_OF_RANGE);

    failed = failure_of([&] { api::reduce_scatter_dim(group, p, p + 32, {4, 3}, 1, MUSTER_SUM); });
    EXPECT_EQ(failed.code, MUSTER_INVALID_ARGUMENT);
    EXPECT_THAT(failed.cause, HasSubstr("shape [4, 3], dim 1: the group's size, 2, does not"));

    const auto code_of = [](muster_status* status) {
      return failure_of([&] { api::check(status); }).code;
    };
    const uint64_t shape[] = {2, 3};
    EXPECT_EQ(
        code_of(muster_all_gather_dim(group.get(), nullptr, p, shape, 2, 1, MUSTER_F32, nullptr)),
        MUSTER_INVALID_ARGUMENT);
    EXPECT_EQ(
        code_of(muster_all_gather_dim(group.get(), p, nullptr, shape, 2, 1, MUSTER_F32, nullptr)),
        MUSTER_INVALID_ARGUMENT);
    EXPECT_EQ(code_of(muster_all_gather_dim(group.get(), p, p, nullptr, 2, 1, MUSTER_F32, nullptr)),
              MUSTER_INVALID_ARGUMENT);
    EXPECT_EQ(code_of(muster_all_gather_dim(group.get(), p, p, shape, 2, 1, 77, nullptr)),
              MUSTER_INVALID_ARGUMENT);
    EXPECT_EQ(code_of(muster_gather_dim(group.get(), p, p, shape, 2, 1, MUSTER_F32, 9, nullptr)),
              MUSTER_INVALID_ARGUMENT);
    EXPECT_EQ(code_of(muster_all_gather_dim(nullptr, p, p, shape, 2, 1, MUSTER_F32, nullptr)),
              MUSTER_INVALID_ARGUMENT);

    try_shape<float>(group, {2, 3}, 1);
  });
}

TEST(DimensionStarted, GivenACallThatIsStillUnderWayThenItsResultIsSeen) {
  on_ranks(2, [](api::Group& group) {
    std::vector<int> ones(6, 1);
    std::vector<int> sums(6);
    muster_call call = muster_call_init(MUSTER_ALL_REDUCE, MUSTER_I32);
    call.redop = MUSTER_SUM;
    call.send = ones.data();
    call.recv = sums.data();
    call.count = 6;
    api::Work work = group.start(call);
    std::vector<int> part(3);
    api::reduce_scatter_dim(group, sums.data(), part.data(), {3, 2}, 1, MUSTER_SUM);
    EXPECT_EQ(part, std::vector<int>(3, 4));
    work.wait();
  });
}

}  // namespace
}  // namespace muster::testing

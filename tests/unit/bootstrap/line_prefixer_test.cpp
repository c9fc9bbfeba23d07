// Lines of a rank with its number in front.
#include "core/bootstrap/line_prefixer.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

namespace muster {
namespace {

struct Pipe {
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) == 0) {
      out = UniqueFd(ends[0]);
      in = UniqueFd(ends[1]);
    }
  }
  UniqueFd out;
  UniqueFd in;
};

void put(const UniqueFd& to, const std::string& text) {
  ASSERT_EQ(write(to.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

std::string taken(const UniqueFd& from) {
  char text[4096];
  const ssize_t n = read(from.get(), text, sizeof(text));
  return n > 0 ? std::string(text, static_cast<size_t>(n)) : std::string();
}

TEST(LinePrefixer, GivenLinesInPiecesThenEachHasThePrefixOnceAndTheLastIsEnded) {
  Pipe from;
  Pipe to;
  LinePrefixer prefixer(std::move(from.out), to.in.get(), "[1] ");
  put(from.in, "one\ntw");
  EXPECT_TRUE(prefixer.copy());
  EXPECT_EQ(taken(to.out), "[1] one\n");
  put(from.in, "o\nthree");
  from.in.reset();
  EXPECT_FALSE(prefixer.copy());
  EXPECT_EQ(taken(to.out), "[1] two\n");
  prefixer.finish();
  EXPECT_EQ(taken(to.out), "[1] three\n");
}

TEST(LinePrefixer, GivenSomebodyWhoWritesWithoutEndThenACopyReturnsAllTheSame) {
  // What is copied comes back: there is always more to read.
  Pipe circle;
  LinePrefixer prefixer(std::move(circle.out), circle.in.get(), "");
  put(circle.in, "round\n");
  EXPECT_TRUE(prefixer.copy());
  prefixer.finish();
}

}  // namespace
}  // namespace muster

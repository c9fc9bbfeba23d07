// A file is there as a whole, or as it was.
#include "core/base/replace_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/base/scratch_directory.hpp"

namespace muster {
namespace {

std::string content_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

size_t files_in(const std::string& directory) {
  namespace fs = std::filesystem;
  return static_cast<size_t>(
      std::distance(fs::directory_iterator(directory), fs::directory_iterator{}));
}

// As on a full disk: nothing longer than this can be written while it lives.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : before_signal_(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit less{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &less);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, before_signal_);
  }

 private:
  rlimit before_{};
  void (*before_signal_)(int);
};

TEST(ReplaceFile, GivenAFileThenItsContentIsAnotherAndTheUsersAlone) {
  const ScratchDirectory directory("test");
  const std::string path = directory.path() + "/verdict";
  std::ofstream(path) << "before";
  ASSERT_TRUE(replace_file(path, "after"));
  EXPECT_EQ(content_of(path), "after");
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
  EXPECT_EQ(files_in(directory.path()), 1u);
}

TEST(ReplaceFile, GivenNoRoomForAllOfItThenTheFileIsAsBeforeAndTheCauseIsTold) {
  const ScratchDirectory directory("test");
  const std::string path = directory.path() + "/verdict";
  std::ofstream(path) << "before";
  const std::string longer(10'000, 'x');
  bool replaced = true;
  int cause = 0;
  {
    const FullDisk full(4096);
    replaced = replace_file(path, longer);
    cause = errno;
  }
  EXPECT_FALSE(replaced);
  EXPECT_EQ(cause, EFBIG);
  EXPECT_EQ(content_of(path), "before");
  EXPECT_EQ(files_in(directory.path()), 1u);
}

TEST(ReplaceFile, GivenNoSuchDirectoryThenTheCauseIsTold) {
  const ScratchDirectory directory("test");
  EXPECT_FALSE(replace_file(directory.path() + "/none/verdict", "text"));
  EXPECT_EQ(errno, ENOENT);
}

TEST(ScratchDirectory, GivenFilesInItThenAllIsGoneWithIt) {
  std::string path;
  {
    const ScratchDirectory directory("test");
    path = directory.path();
    std::filesystem::create_directory(path + "/below");
    std::ofstream(path + "/below/file") << "text";
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(ScratchDirectory, GivenNowhereToMakeOneThenTheStatusNamesTheVariable) {
  const char* const before = std::getenv("TMPDIR");
  const std::string kept = before == nullptr ? "" : before;
  setenv("TMPDIR", "/no/such/place", 1);
  {
    const ScratchDirectory directory("test");
    EXPECT_EQ(directory.path(), "");
    EXPECT_THAT(directory.status().remedy(), testing::HasSubstr("TMPDIR"));
  }
  if (before == nullptr) {
    unsetenv("TMPDIR");
  } else {
    setenv("TMPDIR", kept.c_str(), 1);
  }
}

}  // namespace
}  // namespace muster

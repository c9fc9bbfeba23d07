// Images on disk: built once, damaged ones built anew, failures told. The builder is pretended.
#include "core/kernels/image_store.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

namespace muster {
namespace {

using State = KeptImage::State;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const ImageKey kKey{"toy-1.sums.bf16.2.sm_90", "0123456789abcdef", "nvrtc-13.0"};

class Store : public testing::Test {
 protected:
  Store() {
    char name[] = "/tmp/muster-images-XXXXXX";
    directory_ = mkdtemp(name);
  }
  ~Store() override {
    chmod(directory_.c_str(), 0700);
    std::filesystem::remove_all(directory_);
  }
  ImageStore store() const { return ImageStore(directory_); }
  std::string path() const { return store().file_of(kKey); }
  // Counts how often it builds.
  std::function<MadeImage()> builder(const std::string& image = "image") {
    return [this, image] {
      ++builds_;
      return MadeImage{image, ""};
    };
  }
  std::string got(const std::string& image = "image") {
    return store().get(kKey, builder(image)).image;
  }

  std::string directory_;
  std::atomic<int> builds_{0};
};

TEST_F(Store, GivenAnImageWasBuiltThenItIsNotBuiltAgain) {
  const KeptImage first = store().get(kKey, builder());
  EXPECT_EQ(first.state, State::kBuilt);
  EXPECT_EQ(first.text, path());
  const KeptImage second = store().get(kKey, builder("another"));
  EXPECT_EQ(second.state, State::kReady);
  EXPECT_EQ(second.image, "image");
  EXPECT_EQ(builds_, 1);
}

TEST_F(Store, GivenAnotherSourceOrToolchainThenWhatIsThereDoesNotServe) {
  got();
  EXPECT_FALSE(store().find({kKey.name, "fedcba9876543210", kKey.toolchain}));
  EXPECT_FALSE(store().find({kKey.name, kKey.source, "nvrtc-12.8"}));
  EXPECT_FALSE(store().find({"toy-1.sums.bf16.4.sm_90", kKey.source, kKey.toolchain}));
  EXPECT_EQ(store().stale_file({kKey.name, "fedcba9876543210", kKey.toolchain}), path());
}

TEST_F(Store, GivenNoToolchainThenWhatAnyToolchainMadeOfTheSourceServes) {
  got();
  EXPECT_EQ(store().find({kKey.name, kKey.source, ""}), "image");
  EXPECT_FALSE(store().find({kKey.name, "fedcba9876543210", ""}));
}

TEST_F(Store, GivenADamagedFileThenItIsBuiltAnew) {
  got();
  std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-1, std::ios::end);
  file.put('X');
  file.close();
  EXPECT_FALSE(store().find(kKey));
  EXPECT_EQ(store().stale_file(kKey), path());
  EXPECT_EQ(got("again"), "again");
  EXPECT_EQ(got("third"), "again");
}

TEST_F(Store, GivenATruncatedFileThenItIsBuiltAnew) {
  got();
  const auto size = static_cast<off_t>(std::filesystem::file_size(path()));
  for (const off_t shorter : {size - 1, off_t{10}, off_t{0}}) {
    ASSERT_EQ(truncate(path().c_str(), shorter), 0);
    EXPECT_EQ(got(), "image") << shorter;
  }
  EXPECT_EQ(builds_, 4);
}

TEST_F(Store, GivenAFileUnderAnotherNameThenItDoesNotServe) {
  got();
  const ImageKey other{"toy-1.sums.f32.2.sm_90", kKey.source, kKey.toolchain};
  std::filesystem::copy_file(path(), store().file_of(other));
  EXPECT_FALSE(store().find(other));
}

TEST_F(Store, GivenNoPlaceThenEveryCallBuilds) {
  for (const char* const place : {"", "/proc/nowhere"}) {
    const KeptImage made = ImageStore(place).get(kKey, builder());
    EXPECT_EQ(made.image, "image");
    EXPECT_THAT(made.text, HasSubstr("not kept"));
  }
  EXPECT_EQ(builds_, 2);
}

TEST_F(Store, GivenADirectoryThatIsMissingThenItIsMade) {
  directory_ += "/below/images";
  got();
  EXPECT_EQ(got("another"), "image");
  directory_ = directory_.substr(0, directory_.find("/below"));
}

TEST_F(Store, GivenADirectoryThatCannotBeWrittenThenItWorksWithoutCaching) {
  if (geteuid() == 0) GTEST_SKIP() << "root writes anywhere";
  chmod(directory_.c_str(), 0500);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(got(), "image");
  EXPECT_EQ(builds_, 2);
}

TEST_F(Store, GivenADirectoryThatOthersMayWriteThenNothingOfItIsUsed) {
  got();
  chmod(directory_.c_str(), 0777);
  EXPECT_FALSE(store().find(kKey));
  EXPECT_EQ(got("mine"), "mine");
}

TEST_F(Store, GivenAFailedBuildThenItsLogIsKeptAndNamedUntilOneSucceeds) {
  const KeptImage failed = store().get(kKey, [] {
    return MadeImage{"", "it does not compile\nline 7: wrong"};
  });
  EXPECT_EQ(failed.state, State::kFailed);
  EXPECT_EQ(failed.text, "it does not compile; the log is " + path() + ".log");
  std::ifstream log(path() + ".log");
  EXPECT_THAT(std::string(std::istreambuf_iterator<char>(log), {}), HasSubstr("line 7: wrong"));
  EXPECT_TRUE(store().failed_before(kKey));
  got();
  EXPECT_FALSE(store().failed_before(kKey));
}

TEST_F(Store, GivenManyThreadsOnOneKeyThenOneBuilds) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const KeptImage kept = store().get(kKey, [&] {
        ++builds_;
        usleep(20000);
        return MadeImage{"image", ""};
      });
      EXPECT_EQ(kept.image, "image");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(builds_, 1);
}

TEST_F(Store, GivenManyProcessesOnOneKeyThenOneBuilds) {
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      const KeptImage kept = store().get(kKey, [&] {
        usleep(20000);
        // Who has built leaves a file.
        close(open((directory_ + "/built-" + std::to_string(getpid())).c_str(), O_CREAT | O_WRONLY,
                   0600));
        return MadeImage{"image", ""};
      });
      _exit(kept.image == "image" ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  int built = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory_))
    built += entry.path().filename().string().starts_with("built-") ? 1 : 0;
  EXPECT_EQ(built, 1);
}

TEST_F(Store, GivenStaleAndDamagedFilesWhenCleanedThenOnlyWhatServesAndWhatIsUnknownStays) {
  got();
  const ImageKey old{kKey.name, "fedcba9876543210", kKey.toolchain};
  const ImageKey unknown{"other-1.x.any.sm_90", "1", "2"};
  store().get(old, builder());
  store().get(unknown, builder());
  std::ofstream(store().file_of(kKey) + ".log") << "failed\n";
  store().clean({kKey});
  EXPECT_TRUE(store().find(kKey));
  EXPECT_TRUE(store().find(unknown));
  EXPECT_FALSE(store().find(old));
  EXPECT_FALSE(store().failed_before(kKey));
  EXPECT_THAT(store().clean({kKey}), IsEmpty());
}

TEST_F(Store, GivenABuildUnderWayWhenCleanedThenItIsLeftAlone) {
  std::vector<std::string> removed;
  store().get(kKey, [&] {
    removed = store().clean({});
    return MadeImage{"image", ""};
  });
  EXPECT_THAT(removed, IsEmpty());
}

}  // namespace
}  // namespace muster

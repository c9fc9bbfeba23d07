#include "plugins/backends/cuda_peer/cubin_cache.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "muster/plugin.hpp"

namespace muster::cuda_peer {
namespace {

const CubinKey kKey{"reductions.bf16.2.sm_90", "0123456789abcdef0123456789abcdef"};

class Cache : public testing::Test {
 protected:
  Cache() {
    char name[] = "/tmp/muster-cubins-XXXXXX";
    directory_ = mkdtemp(name);
  }
  ~Cache() override {
    chmod(directory_.c_str(), 0700);
    for (const std::string& name : names()) unlink((directory_ + "/" + name).c_str());
    rmdir(directory_.c_str());
  }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    DIR* const stream = opendir(directory_.c_str());
    while (const dirent* entry = readdir(stream)) {
      if (entry->d_name[0] != '.') found.emplace_back(entry->d_name);
    }
    closedir(stream);
    return found;
  }
  std::string path() const { return directory_ + "/" + kKey.file_name(); }
  // Counts how often it builds.
  std::function<Compiled()> builder(const std::string& cubin = "cubin") {
    return [this, cubin] {
      ++builds_;
      return Compiled{cubin, ""};
    };
  }

  std::string directory_;
  std::atomic<int> builds_{0};
};

TEST_F(Cache, GivenACubinWasBuiltThenItIsNotBuiltAgain) {
  EXPECT_EQ(CubinCache(directory_).get(kKey, builder()), "cubin");
  EXPECT_EQ(CubinCache(directory_).get(kKey, builder("another")), "cubin");
  EXPECT_EQ(builds_, 1);
}

TEST_F(Cache, GivenAnotherDigestThenItIsBuilt) {
  CubinCache(directory_).get(kKey, builder());
  const CubinKey newer{kKey.name, "ffffffffffffffff0123456789abcdef"};
  EXPECT_EQ(CubinCache(directory_).get(newer, builder("newer")), "newer");
  EXPECT_EQ(builds_, 2);
}

TEST_F(Cache, GivenADamagedFileThenItIsBuiltAnew) {
  CubinCache(directory_).get(kKey, builder());
  std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-1, std::ios::end);
  file.put('X');
  file.close();
  EXPECT_EQ(CubinCache(directory_).get(kKey, builder("again")), "again");
  EXPECT_EQ(CubinCache(directory_).get(kKey, builder("third")), "again");
}

TEST_F(Cache, GivenATruncatedFileThenItIsBuiltAnew) {
  CubinCache(directory_).get(kKey, builder());
  struct stat status {};
  ASSERT_EQ(stat(path().c_str(), &status), 0);
  for (const off_t size : {status.st_size - 1, off_t{10}, off_t{0}}) {
    ASSERT_EQ(truncate(path().c_str(), size), 0);
    EXPECT_EQ(CubinCache(directory_).get(kKey, builder()), "cubin") << size;
  }
  EXPECT_EQ(builds_, 4);
}

TEST_F(Cache, GivenNoDirectoryThenEveryCallBuilds) {
  for (int i = 0; i < 2; ++i) EXPECT_EQ(CubinCache("").get(kKey, builder()), "cubin");
  EXPECT_EQ(CubinCache(directory_ + "/missing").get(kKey, builder()), "cubin");
  EXPECT_EQ(builds_, 3);
}

TEST_F(Cache, GivenADirectoryThatCannotBeWrittenThenItWorksWithoutCaching) {
  if (geteuid() == 0) GTEST_SKIP() << "root writes anywhere";
  chmod(directory_.c_str(), 0500);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(CubinCache(directory_).get(kKey, builder()), "cubin");
  EXPECT_EQ(builds_, 2);
}

TEST_F(Cache, GivenAFailedBuildThenItsLogIsKeptAndNamed) {
  const CubinCache cache(directory_);
  try {
    cache.get(kKey, [] { return Compiled{"", "line 7: wrong"}; });
    FAIL();
  } catch (const plugin::Failure& failure) {
    EXPECT_EQ(failure.code(), muster_code{MUSTER_UNAVAILABLE});
    EXPECT_THAT(failure.cause(), testing::HasSubstr("line 7: wrong"));
    EXPECT_THAT(failure.cause(), testing::HasSubstr(path() + ".log"));
  }
  std::ifstream log(path() + ".log");
  std::string line;
  std::getline(log, line);
  EXPECT_EQ(line, "line 7: wrong");
  // A later success removes it.
  cache.get(kKey, builder());
  EXPECT_NE(access((path() + ".log").c_str(), F_OK), 0);
}

TEST_F(Cache, GivenManyThreadsOnOneKeyThenOneBuilds) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      EXPECT_EQ(CubinCache(directory_)
                    .get(kKey,
                         [&] {
                           ++builds_;
                           usleep(20000);
                           return Compiled{"cubin", ""};
                         }),
                "cubin");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(builds_, 1);
}

TEST_F(Cache, GivenManyProcessesOnOneKeyThenOneBuilds) {
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      CubinCache(directory_).get(kKey, [&] {
        usleep(20000);
        // Who has built leaves a file.
        close(open((directory_ + "/built-" + std::to_string(getpid())).c_str(), O_CREAT | O_WRONLY,
                   0600));
        return Compiled{"cubin", ""};
      });
      _exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) waitpid(child, nullptr, 0);
  int built = 0;
  for (const std::string& name : names()) built += name.rfind("built-", 0) == 0 ? 1 : 0;
  EXPECT_EQ(built, 1);
}

}  // namespace
}  // namespace muster::cuda_peer

#include "core/discover/loader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "tests/unit/discover/test_directory.hpp"

namespace muster {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Loader : public PluginDirectory {
 protected:
  FoundPlugin judged(const std::string& path) { return judge_file(path, config); }
};

TEST_F(Loader, GivenAPluginWhenOpenedTwiceThenItIsTheSameEntryOpenedOnce) {
  const FoundPlugin plugin = judged(put("good"));
  const Result<const muster_entry*> first = open_plugin(plugin);
  ASSERT_TRUE(first.ok()) << first.status().message();
  EXPECT_STREQ((*first)->id, "good");
  const Result<const muster_entry*> second = open_plugin(plugin);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(traces("good"), 1u);
}

TEST_F(Loader, GivenAnotherNameOfTheSameFileWhenOpenedThenItIsTheSameEntry) {
  const FoundPlugin plugin = judged(put("other"));
  std::filesystem::create_hard_link(plugin.path, plugins + "/link.so");
  const Result<const muster_entry*> first = open_plugin(plugin);
  const Result<const muster_entry*> second = open_plugin(judged(plugins + "/link.so"));
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(*first, *second);
}

TEST_F(Loader, GivenAnUnresolvedSymbolWhenOpenedThenItIsNamedAndNoConstructorHasRun) {
  const Result<const muster_entry*> entry = open_plugin(judged(put("unresolved")));
  ASSERT_FALSE(entry.ok());
  EXPECT_THAT(entry.status().cause(), HasSubstr("a_function_that_nobody_has"));
  EXPECT_EQ(traces(), 0u);
}

TEST_F(Loader, GivenAMissingLibraryWhenOpenedThenItIsNamed) {
  const Result<const muster_entry*> entry = open_plugin(judged(put("missing_dependency")));
  ASSERT_FALSE(entry.ok());
  EXPECT_THAT(entry.status().cause(), HasSubstr("libdiscover_test_dependency.so"));
}

TEST_F(Loader, GivenAFileThatWasReplacedAfterItsJudgementWhenOpenedThenItIsRefused) {
  const FoundPlugin plugin = judged(put("good", "p.so"));
  std::filesystem::remove(plugin.path);
  put("other", "p.so");
  const Result<const muster_entry*> entry = open_plugin(plugin);
  ASSERT_FALSE(entry.ok());
  EXPECT_EQ(entry.status().code(), muster_code{MUSTER_MISMATCH});
  EXPECT_THAT(entry.status().cause(), AllOf(HasSubstr("good"), HasSubstr("other")));
}

TEST_F(Loader, GivenAFileThatWasReplacedAfterItWasOpenedWhenOpenedAgainThenARestartIsAskedFor) {
  const FoundPlugin plugin = judged(put("good", "q.so"));
  ASSERT_TRUE(open_plugin(plugin).ok());
  std::filesystem::rename(put("good", "fresh.so"), plugin.path);
  const Result<const muster_entry*> entry = open_plugin(plugin);
  ASSERT_FALSE(entry.ok());
  EXPECT_THAT(entry.status().remedy(), HasSubstr("restart"));
}

TEST_F(Loader, GivenAFileWithAnLtxNameWhenOpenedThenItIsRefused) {
  const Result<const muster_entry*> entry = open_plugin(judged(put("ltx")));
  ASSERT_FALSE(entry.ok());
  EXPECT_THAT(entry.status().cause(), HasSubstr("_LTX_"));
}

TEST_F(Loader, GivenARelativePathWhenOpenedThenItIsRefused) {
  FoundPlugin plugin = judged(put("good"));
  plugin.path = "good.so";
  EXPECT_EQ(open_plugin(plugin).status().code(), muster_code{MUSTER_INVALID_ARGUMENT});
}

TEST_F(Loader, GivenEntriesInThisProcessWhenOpenedThenEachIsItsOwn) {
  static muster_entry a{};
  a.magic = MUSTER_PLUGIN_MAGIC;
  a.struct_size = MUSTER_PLUGIN_ENTRY_SIZE;
  std::snprintf(a.id, sizeof(a.id), "linked");
  a.open = [](const muster_host*, muster_instance**) -> muster_status* { return nullptr; };
  a.close = [](muster_instance*) {};
  a.get_interface = [](muster_instance*, const char*) -> const void* { return nullptr; };
  static muster_entry b = a;
  const std::string first = preload_in_process(a);
  const std::string second = preload_in_process(b);
  EXPECT_NE(first, second) << "two entries of one id";
  EXPECT_EQ(first, preload_in_process(a));
  EXPECT_THAT(first, AllOf(HasSubstr("/muster-in-process/"), HasSubstr("/linked.so")));
  for (const auto& [path, entry] : {std::pair{first, &a}, std::pair{second, &b}}) {
    FoundPlugin plugin;
    plugin.path = path;
    plugin.in_process = entry;
    plugin.entry.struct_size = MUSTER_PLUGIN_ENTRY_SIZE;
    plugin.entry.id = "linked";
    const Result<const muster_entry*> opened = open_plugin(plugin);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    EXPECT_EQ(*opened, entry);
  }
}

TEST_F(Loader, GivenManyThreadsWhenTheyOpenAPluginThenAllGetTheSameEntry) {
  const FoundPlugin plugin = judged(put("good", "threads.so"));
  std::vector<const muster_entry*> entries(4);
  std::vector<std::thread> threads;
  for (const muster_entry*& entry : entries) {
    threads.emplace_back([&] {
      Result<const muster_entry*> opened = open_plugin(plugin);
      if (opened.ok()) entry = *opened;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const muster_entry* entry : entries) EXPECT_EQ(entry, entries.front());
  EXPECT_NE(entries.front(), nullptr);
  EXPECT_EQ(traces("good"), 1u);
}

}  // namespace
}  // namespace muster

#include "core/discover/discovery.hpp"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "core/discover/loader.hpp"
#include "core/discover/own_place.hpp"
#include "tests/unit/discover/test_directory.hpp"

namespace muster {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class Discover : public PluginDirectory {
 protected:
  static std::string name_of(const FoundPlugin& found) {
    return fs::path(found.path).filename().string();
  }
};

// One of each refused file in one directory: stage, cause, and no trace of any of them.
TEST_F(Discover, GivenOneOfEachRefusedFileWhenFoundThenEachHasItsReasonAndNoneWasOpened) {
  std::vector<std::pair<std::string, std::string>> expected;
  const auto add = [&](const std::string& built, const std::string& reason) {
    put(built);
    expected.emplace_back(built + ".so", reason);
  };
  add("future", "ABI too new");
  add("old", "ABI too old");
  add("newer_host", "ABI too new");
  add("no_entry", "no symbol muster_plugin_entry");
  add("wrong_magic", "wrong magic");
  add("wrong_tag", "build tag mismatch");
  add("wrong_id", "is not [a-z0-9_]+");
  write_file(plugins + "/text.so", "a text\n");
  expected.emplace_back("text.so", "not an ELF file");
  write_file(plugins + "/empty.so", "");
  expected.emplace_back("empty.so", "empty");
  std::string bytes = read_file(built_plugin("good"));
  write_file(plugins + "/truncated.so", bytes.substr(0, bytes.size() / 2));
  expected.emplace_back("truncated.so", "truncated");
  reinterpret_cast<Elf64_Ehdr*>(bytes.data())->e_machine = EM_68K;
  write_file(plugins + "/machine.so", bytes);
  expected.emplace_back("machine.so", "another machine");
  fs::create_symlink("/nowhere/at/all.so", plugins + "/dangling.so");
  expected.emplace_back("dangling.so", "dangling link");
  const std::string loose = put("other", "loose.so");
  ASSERT_EQ(chmod(loose.c_str(), 0666), 0);
  expected.emplace_back("loose.so", "writable by everyone");

  const std::vector<FoundPlugin> found = find();

  EXPECT_EQ(found.size(), expected.size());
  for (const auto& [name, reason] : expected) {
    const auto at = std::find_if(found.begin(), found.end(),
                                 [&](const FoundPlugin& f) { return name_of(f) == name; });
    ASSERT_NE(at, found.end()) << name;
    EXPECT_EQ(at->state, PluginState::kRefused) << name;
    EXPECT_EQ(at->stage, Stage::kDiscover) << name;
    EXPECT_THAT(at->reason, HasSubstr(reason)) << name;
    EXPECT_EQ(recorded(at->path, "refused"), at->reason);
  }
  EXPECT_EQ(traces(), 0u);
}

TEST_F(Discover, GivenFilesWhenFoundThenTheyAreSortedByName) {
  put("unavailable", "b.so");
  put("other", "c.so");
  put("good", "a.so");
  std::vector<std::string> names;
  for (const FoundPlugin& found : find()) names.push_back(name_of(found));
  EXPECT_THAT(names, ElementsAre("a.so", "b.so", "c.so"));
}

TEST_F(Discover, GivenOtherFilesWhenFoundThenTheyAreIgnored) {
  write_file(plugins + "/README.md", "text");
  put("good", "good.so.bak");
  put("good", "libgood.so.1");
  fs::create_directory(plugins + "/directory.so");
  fs::create_symlink(plugins + "/directory.so", plugins + "/link.so");
  ASSERT_EQ(mkfifo((plugins + "/pipe.so").c_str(), 0600), 0);
  EXPECT_TRUE(find().empty());
}

TEST_F(Discover, GivenTwoPluginsOfOneIdWhenFoundThenTheFirstUsableWins) {
  put("good", "a.so");
  put("twin", "b.so");
  std::vector<FoundPlugin> found = find();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].state, PluginState::kUsable);
  EXPECT_EQ(found[1].state, PluginState::kRefused);
  EXPECT_THAT(found[1].reason, testing::AllOf(HasSubstr("duplicate id good"), HasSubstr("a.so")));
  EXPECT_EQ(traces("good"), 1u) << "the second is not opened";

  ASSERT_EQ(chmod((plugins + "/a.so").c_str(), 0666), 0);
  found = find();
  EXPECT_EQ(found[0].state, PluginState::kRefused);
  EXPECT_EQ(found[1].state, PluginState::kUsable) << found[1].reason;
}

TEST_F(Discover, GivenOneFileByTwoNamesWhenFoundThenItCountsOnce) {
  const std::string path = put("good", "a.so");
  fs::create_hard_link(path, plugins + "/b.so");
  fs::create_symlink("a.so", plugins + "/c.so");
  fs::create_directory_symlink(plugins, root + "/again");
  DiscoveryInputs inputs;
  inputs.config = &config;
  inputs.directories = {root + "/again", plugins, plugins + "/", root + "/again/../plugins"};
  const std::vector<FoundPlugin> found = discover(inputs, records);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].path, path) << "canonical, by whatever name the directory was given";
}

TEST_F(Discover, GivenALinkWhenFoundThenItsPathIsCanonicalAndItsOwnDirectoryIsJudged) {
  const std::string elsewhere = root + "/elsewhere";
  fs::create_directory(elsewhere);
  fs::copy_file(built_plugin("good"), elsewhere + "/real.so");
  fs::permissions(elsewhere + "/real.so", fs::perms::owner_all);
  ASSERT_EQ(chmod(elsewhere.c_str(), 0755), 0);
  fs::create_symlink(elsewhere + "/real.so", plugins + "/link.so");
  FoundPlugin found = find_one();
  EXPECT_EQ(found.path, elsewhere + "/real.so");
  EXPECT_EQ(found.state, PluginState::kUsable) << found.reason;
  ASSERT_EQ(chmod(elsewhere.c_str(), 0777), 0);
  found = find_one();
  EXPECT_EQ(found.state, PluginState::kRefused);
  EXPECT_THAT(found.reason, HasSubstr(elsewhere));
}

TEST_F(Discover, GivenADirectoryThatEveryoneMayWriteWhenFoundThenItsFilesAreRefused) {
  put("good");
  ASSERT_EQ(chmod(plugins.c_str(), 0777), 0);
  const FoundPlugin found = find_one();
  EXPECT_EQ(found.state, PluginState::kRefused);
  EXPECT_THAT(found.reason, HasSubstr("the directory " + plugins + " is writable by everyone"));
  EXPECT_EQ(traces(), 0u);
}

TEST_F(Discover, GivenAFileOfAnotherUserWhenFoundThenItIsRefusedUnlessTrusted) {
  // Only root can give files away; FileTrust tests the rule for everyone.
  if (geteuid() != 0) return;
  const std::string path = put("good");
  ASSERT_EQ(chown(path.c_str(), 12345, 12345), 0);
  EXPECT_THAT(find_one().reason, HasSubstr("owned by user 12345"));
  EXPECT_EQ(traces(), 0u);
  config.plugins_trust_owners.value = {"12345"};
  EXPECT_EQ(find_one().state, PluginState::kUsable);
}

TEST_F(Discover, GivenADirectoryThatIsMissingOrRelativeWhenFoundThenItIsRecorded) {
  config.plugins_path = {{root + "/none"}, {Source::Kind::kFile, "/etc/muster/muster.toml", 3, 1}};
  DiscoveryInputs inputs;
  inputs.config = &config;
  inputs.directories = {root + "/none", "plugins", ""};
  EXPECT_TRUE(discover(inputs, records).empty());
  const std::vector<Record> all = records.all();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].subject, root + "/none");
  EXPECT_EQ(all[0].verdict, "missing");
  EXPECT_EQ(all[0].source, "/etc/muster/muster.toml:3:1");
  EXPECT_THAT(recorded("plugins", "refused"), HasSubstr("current directory"));
}

TEST_F(Discover, GivenABackendThatIsOffWhenFoundThenItIsNotOpened) {
  config.backends["good"].mode =
      Setting<Mode>{Mode::kOff, Source{Source::Kind::kFile, "/etc/muster/muster.toml", 14, 3}};
  put("good");
  const FoundPlugin found = find_one();
  EXPECT_EQ(found.state, PluginState::kOff);
  EXPECT_EQ(found.source, "/etc/muster/muster.toml:14:3");
  EXPECT_EQ(traces(), 0u);
}

muster_status* open_linked(const muster_host*, muster_instance**) { return nullptr; }
void close_linked(muster_instance*) {}
const void* no_interface(muster_instance*, const char*) { return nullptr; }
muster_entry linked(const char* id) {
  muster_entry entry{};
  entry.magic = MUSTER_PLUGIN_MAGIC;
  entry.struct_size = MUSTER_PLUGIN_ENTRY_SIZE;
  entry.abi_major = MUSTER_ABI_MAJOR;
  entry.abi_minor = MUSTER_ABI_MINOR;
  std::snprintf(entry.id, sizeof(entry.id), "%s", id);
  std::snprintf(entry.build_tag, sizeof(entry.build_tag), "%s", MUSTER_BUILD_TAG);
  entry.open = open_linked;
  entry.close = close_linked;
  entry.get_interface = no_interface;
  return entry;
}

TEST_F(Discover, GivenEntriesInThisProcessWhenFoundThenTheyComeFirstAndCanBeOpened) {
  static const muster_entry good = linked("good");
  static muster_entry future = linked("future");
  future.abi_major = 9;
  static muster_entry nonsense{};
  const muster_entry* const entries[] = {&good, &future, &nonsense};
  put("good");
  DiscoveryInputs inputs;
  inputs.config = &config;
  inputs.directories = {plugins};
  inputs.in_process = entries;
  const std::vector<FoundPlugin> found = discover(inputs, records);
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0].state, PluginState::kUsable) << found[0].reason;
  EXPECT_EQ(found[0].in_process, &good);
  EXPECT_THAT(found[0].path, testing::MatchesRegex("/muster-in-process/[0-9]+/good\\.so"));
  EXPECT_THAT(found[1].reason, HasSubstr("ABI too new"));
  EXPECT_THAT(found[2].reason, HasSubstr("wrong magic"));
  EXPECT_THAT(found[3].reason, HasSubstr("duplicate id")) << "the file comes later";
  const Result<const muster_entry*> opened = open_plugin(found[0]);
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  EXPECT_EQ(*opened, &good);
}

TEST_F(Discover, GivenTwoHundredPluginsWhenListedThenAllAreFoundAndNoneIsOpened) {
  const std::string bytes = read_file(built_plugin("good"));
  muster_entry record{};
  record.magic = MUSTER_PLUGIN_MAGIC;
  const size_t start = bytes.find({reinterpret_cast<const char*>(&record.magic), 8});
  ASSERT_NE(start, std::string::npos);
  const size_t at = start + offsetof(muster_entry, id);
  for (int i = 0; i < 200; ++i) {
    std::string copy = bytes;
    std::snprintf(record.id, sizeof(record.id), "p%03d", i);
    copy.replace(at, 8, record.id, 8);
    const std::string path = plugins + "/" + record.id + ".so";
    write_file(path, copy);
    ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  }
  const std::vector<FoundPlugin> found = find(false);
  ASSERT_EQ(found.size(), 200u);
  for (const FoundPlugin& plugin : found) EXPECT_EQ(plugin.state, PluginState::kUnprobed);
  EXPECT_EQ(found[7].entry.id, "p007");
  EXPECT_EQ(traces(), 0u);
}

TEST_F(Discover, GivenBackendsThatNobodyBringsThenTheRecordsSayWhereTheyAreConfigured) {
  put("good");
  const auto at = [](uint32_t line) {
    return Source{Source::Kind::kFile, "/etc/muster.toml", line, 1};
  };
  config.backends["good"].priority = Setting<int32_t>{3, at(1)};
  config.backends["acme"].priority = Setting<int32_t>{3, at(2)};
  config.backends["unwanted"].mode = Setting<Mode>{Mode::kOff, at(3)};
  GroupSettings group;
  group.backends["group_acme"].mode = Setting<Mode>{Mode::kPreferred, at(4)};
  config.groups.push_back(group);
  PolicyRule rule;
  rule.source = at(5);
  rule.prefer = {"good", "rule_acme"};
  rule.forbid = {"unwanted"};
  config.rules.push_back(rule);
  find();
  std::vector<std::string> missing;
  for (const Record& record : records.all()) {
    if (record.verdict == "missing") missing.push_back(record.subject + " by " + record.source);
  }
  EXPECT_THAT(missing,
              ElementsAre("acme by /etc/muster.toml:2:1", "group_acme by /etc/muster.toml:4:1",
                          "rule_acme by /etc/muster.toml:5:1"));
}

class OwnPlace : public PluginDirectory {};

TEST_F(OwnPlace, GivenATestProgramWhenAskedThenItIsInTheBuildTree) {
  const std::string own = own_directory();
  EXPECT_EQ(fs::path(own).filename(), "tests");
  EXPECT_EQ(fs::path(own).string(), fs::canonical("/proc/self/exe").parent_path().string());
}

TEST_F(OwnPlace, GivenALibraryOrAProgramWhenAskedThenThePluginsAreBesideIt) {
  fs::create_directories(root + "/usr/lib/muster/plugins");
  fs::create_directories(root + "/usr/bin");
  EXPECT_EQ(installed_plugin_directory(root + "/usr/lib"), root + "/usr/lib/muster/plugins");
  EXPECT_EQ(installed_plugin_directory(root + "/usr/bin"), root + "/usr/lib/muster/plugins");
}

TEST_F(OwnPlace, GivenAConfiguredPathWhenAskedThenItComesBeforeTheInstalledOne) {
  config.plugins_path.value = {"/opt/acme", "/opt/other"};
  const std::vector<std::string> directories = plugin_directories(config);
  ASSERT_EQ(directories.size(), 3u);
  EXPECT_EQ(directories[0], "/opt/acme");
  EXPECT_THAT(directories[2], HasSubstr("/muster/plugins"));
}

}  // namespace
}  // namespace muster

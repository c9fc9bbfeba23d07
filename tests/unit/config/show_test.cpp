#include "config/show.hpp"

#include <fmt/format.h>

#include <fstream>
#include <set>
#include <sstream>

#include "config/options.hpp"
#include "tests/unit/config/config_fixture.hpp"

namespace muster {
namespace {

std::string file_text(const std::string& name) {
  std::ifstream file(fmt::format("{}/{}", MUSTER_CONFIG_FOLDER, name), std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The values of the options, without where they came from.
std::vector<std::string> option_values(const Config& config) {
  std::vector<std::string> values;
  for (const Option& option : options()) values.push_back(option_text(config, option));
  return values;
}

TEST(Show, GivenTheTableWhenReadThenKeysVariablesAndHelpAreSound) {
  std::set<std::string> variables;
  for (const Option& option : options()) {
    EXPECT_EQ(find_option(option.key), &option);
    EXPECT_TRUE(variables.insert(variable_of(option)).second) << option.key;
    EXPECT_TRUE(option.help.ends_with('.')) << option.key;
  }
  EXPECT_EQ(variable_of(*find_option("group.timeout_ms")), "MUSTER_GROUP_TIMEOUT_MS");
  EXPECT_EQ(find_option("group"), nullptr);
}

TEST(Show, GivenTheCommittedDefaultFileWhenComparedThenItIsTheGeneratedOne) {
  EXPECT_EQ(file_text("muster.toml"), default_toml())
      << "run: muster config default > config/muster.toml";
}

TEST(Show, GivenTheDefaultFileWhenLoadedThenEveryOptionIsTheDefault) {
  const Config config = config_of(default_toml());
  EXPECT_EQ(option_values(config), option_values(Config{}));
  EXPECT_EQ(policy_text(config), policy_text(Config{}));
  for (const ConfigEntry& entry : config_entries(config))
    EXPECT_TRUE(entry.is_default) << entry.key;
}

TEST(Show, GivenTheDefaultFileWithItsSettingsUncommentedWhenLoadedThenTheyAreTheDefaults) {
  std::istringstream lines(default_toml());
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    if (line.size() > 1 && line[0] == '#' && line[1] != ' ') line.erase(0, 1);
    text += line + "\n";
  }
  const Config config = config_of(text);
  EXPECT_EQ(option_values(config), option_values(Config{}));
  for (const Option& option : options()) {
    EXPECT_EQ(option_source(config, option).kind, Source::Kind::kApi) << option.key;
  }
  EXPECT_EQ(config.backends.at("shm").priority->value, 80);
  EXPECT_EQ(config.groups.size(), 1u);
  EXPECT_EQ(config.rules.size(), 1u);
}

TEST(Show, GivenSettingsOfAllKindsWhenListedThenOrderValueAndSourceAreShown) {
  const std::vector<ConfigEntry> entries = config_entries(config_of(R"(
[wait]
spin_us = 7
[backend.shm]
priority = 3
options = { size = 4, flag = true, text = "a\"b" }
[backend.mpi]
mode = "off"
[group."moe*"]
timeout_ms = 9
[group."moe*".backend.shm]
priority = 4
[[rule]]
op = "all_gather"
bytes = "..1M"
prefer = ["shm"]
)"));
  std::vector<std::string> lines;
  for (size_t i = options().size(); i < entries.size(); ++i) {
    lines.push_back(entries[i].key + " = " + entries[i].value + " @ " + entries[i].source + " " +
                    entries[i].variable);
  }
  EXPECT_EQ(lines,
            (std::vector<std::string>{
                "backend.mpi.mode = \"off\" @ api:8:1 MUSTER_BACKEND_MPI_MODE",
                "backend.shm.priority = 3 @ api:5:1 MUSTER_BACKEND_SHM_PRIORITY",
                "backend.shm.options.flag = true @ api:6:23 MUSTER_BACKEND_SHM_OPTIONS_FLAG",
                "backend.shm.options.size = 4 @ api:6:13 MUSTER_BACKEND_SHM_OPTIONS_SIZE",
                "backend.shm.options.text = \"a\\\"b\" @ api:6:36 MUSTER_BACKEND_SHM_OPTIONS_TEXT",
                "group.\"moe*\".timeout_ms = 9 @ api:10:1 ",
                "group.\"moe*\".backend.shm.priority = 4 @ api:12:1 ",
                "rule[0] = op = [\"all_gather\"], bytes = \"0..1MiB\", prefer = [\"shm\"] @ "
                "api:13:3 "}));
  EXPECT_EQ(entries[0].key, "plugins.path");
  EXPECT_EQ(entries[0].value, "[]");
  EXPECT_EQ(entries[0].source, "default");
  EXPECT_EQ(entries[0].scope, "local");
  for (const ConfigEntry& entry : entries) {
    if (entry.key != "wait.spin_us") continue;
    EXPECT_EQ(entry.value, "7");
    EXPECT_EQ(entry.source, "api:3:1");
    EXPECT_FALSE(entry.is_default);
    EXPECT_EQ(entry.level, "tuner");
    EXPECT_EQ(entry.variable, "MUSTER_WAIT_SPIN_US");
  }
}

TEST(Examples, GivenTheWorkstationWhenLoadedThenPeerAccessGoesBeforeNccl) {
  const Config config = config_of(file_text("examples/workstation.toml"));
  ASSERT_EQ(config.rules.size(), 2u);
  EXPECT_EQ(config.rules[0].prefer, (Strings{"cuda_peer", "nccl"}));
  EXPECT_GT(config.backends.at("cuda_peer").priority->value,
            config.backends.at("nccl").priority->value);
}

TEST(Examples, GivenTheAscendNodeWhenLoadedThenGroupsOfExpertsHaveLargerBuffers) {
  const Config config = config_of(file_text("examples/ascend_node.toml"));
  EXPECT_EQ(backend_settings(config, "hccl_ascend", "moe_ep").options.at("buffer_mb").value, "400");
  EXPECT_TRUE(backend_settings(config, "hccl_ascend", "tp").options.empty());
}

TEST(Examples, GivenTheCpuMachineWhenLoadedThenOnlySharedMemoryServes) {
  const Config config = config_of(file_text("examples/cpu_ci.toml"));
  EXPECT_EQ(config.backends.at("shm").mode->value, Mode::kRequired);
  EXPECT_EQ(config.backends.at("mpi").mode->value, Mode::kOff);
  EXPECT_TRUE(config.check_calls.value);
}

}  // namespace
}  // namespace muster

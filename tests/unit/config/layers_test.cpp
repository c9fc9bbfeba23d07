#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/config/config_fixture.hpp"

namespace muster {
namespace {

class Layers : public ConfigFiles {};

TEST_F(Layers, GivenNothingWhenLoadedThenEverythingIsTheDefault) {
  const Result<Config> config = load_config({});
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->group_timeout_ms.value, 600000u);
  EXPECT_EQ(config->group_timeout_ms.source.text(), "default");
  EXPECT_EQ(config->plugins_probe.value, ProbeMode::kChild);
  EXPECT_TRUE(config->files.empty());
}

TEST_F(Layers, GivenAllLayersWhenEachIsTakenAwayThenTheNextLowerOneCounts) {
  ConfigInputs inputs;
  inputs.system_file = write("system.toml", "[wait]\nspin_us = 1\n");
  inputs.user_file = write("user.toml", "[wait]\nspin_us = 2\n");
  inputs.required_file = write("required.toml", "[wait]\nspin_us = 3\n");
  inputs.environment["MUSTER_WAIT_SPIN_US"] = "4";
  inputs.api_file = write("api.toml", "[wait]\nspin_us = 5\n");
  inputs.api_text = "[wait]\n  spin_us = 6\n";
  const auto loaded = [&] {
    const Result<Config> config = load_config(inputs);
    EXPECT_TRUE(config.ok()) << config.status().message();
    return config->wait_spin_us;
  };
  EXPECT_EQ(loaded().value, 6u);
  EXPECT_EQ(loaded().source.text(), "api:2:3");
  inputs.api_text.clear();
  EXPECT_EQ(loaded().value, 5u);
  EXPECT_EQ(loaded().source.text(), path("api.toml") + ":2:1");
  inputs.api_file.clear();
  EXPECT_EQ(loaded().value, 4u);
  EXPECT_EQ(loaded().source.text(), "MUSTER_WAIT_SPIN_US");
  inputs.environment.clear();
  EXPECT_EQ(loaded().value, 3u);
  inputs.required_file.clear();
  EXPECT_EQ(loaded().value, 2u);
  inputs.user_file.clear();
  EXPECT_EQ(loaded().value, 1u);
  inputs.system_file.clear();
  EXPECT_EQ(loaded().value, 50u);
}

TEST_F(Layers, GivenPathsAndRulesInSeveralLayersWhenLoadedThenLaterOnesComeFirst) {
  ConfigInputs inputs;
  inputs.system_file = write("system.toml",
                             "[plugins]\npath = [\"/s1\", \"/s2\"]\n"
                             "[[rule]]\nprefer = [\"s1\"]\n[[rule]]\nprefer = [\"s2\"]\n");
  inputs.user_file =
      write("user.toml", "[plugins]\npath = [\"~/u\"]\n[[rule]]\nprefer = [\"u\"]\n");
  inputs.environment["MUSTER_PLUGINS_PATH"] = "/e1:/e2";
  inputs.home = "/home/someone";
  const Result<Config> config = load_config(inputs);
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->plugins_path.value, (Strings{"/e1", "/e2", "/home/someone/u", "/s1", "/s2"}));
  ASSERT_EQ(config->rules.size(), 3u);
  EXPECT_EQ(config->rules[0].prefer, Strings{"u"});
  EXPECT_EQ(config->rules[0].source.text(), path("user.toml") + ":3:3");
  EXPECT_EQ(config->rules[1].prefer, Strings{"s1"});
  EXPECT_EQ(config->rules[2].prefer, Strings{"s2"});
  EXPECT_EQ(config->rules[2].source.text(), path("system.toml") + ":5:3");
  EXPECT_EQ(config->files, (Strings{path("system.toml"), path("user.toml")}));
}

TEST_F(Layers, GivenBackendOptionsInSeveralLayersWhenLoadedThenTheyMergeKeyByKey) {
  ConfigInputs inputs;
  inputs.system_file = write(
      "s.toml", "[backend.shm]\nmode = \"optional\"\npriority = 1\noptions = { a = 1, b = 2 }\n");
  inputs.api_text = "[backend.shm]\npriority = 2\n[backend.shm.options]\nb = true\nc = \"x\"\n";
  const Result<Config> config = load_config(inputs);
  ASSERT_TRUE(config.ok()) << config.status().message();
  const BackendSettings& shm = config->backends.at("shm");
  EXPECT_EQ(shm.mode->value, Mode::kOptional);
  EXPECT_EQ(shm.priority->value, 2);
  EXPECT_EQ(shm.options.at("a").value, "1");
  EXPECT_EQ(shm.options.at("a").source.text(), path("s.toml") + ":4:13");
  EXPECT_EQ(shm.options.at("b").value, "true");
  EXPECT_EQ(shm.options.at("c").value, "x");
  EXPECT_EQ(shm.options.at("c").source.text(), "api:5:1");
}

TEST_F(Layers, GivenAHomePathInTheSystemFileWhenLoadedThenItIsRefused) {
  ConfigInputs inputs;
  inputs.system_file = write("s.toml", "[plugins]\npath = [\"~/u\"]\n");
  inputs.home = "/home/someone";
  EXPECT_TRUE(load_config(inputs).status().cause().starts_with(path("s.toml") + ":2:8: "));
}

TEST_F(Layers, GivenAWrongFileWhenLoadedThenTheErrorBeginsWithItsPlace) {
  ConfigInputs inputs;
  inputs.required_file = write("r.toml", "\n[log]\nlevl = \"warn\"\n");
  const Result<Config> config = load_config(inputs);
  EXPECT_EQ(config.status().cause(), path("r.toml") + ":3:1: unknown key 'levl' in [log]");
  EXPECT_EQ(config.status().remedy(), "did you mean 'level'?");
}

TEST_F(Layers, GivenMissingFilesWhenLoadedThenOnlyTheRequiredOneIsAnError) {
  ConfigInputs inputs;
  inputs.system_file = path("none.toml");
  inputs.user_file = path("no/such/folder/none.toml");
  EXPECT_TRUE(load_config(inputs).ok());
  inputs.required_file = path("none.toml");
  const Result<Config> config = load_config(inputs);
  EXPECT_EQ(config.status().code(), MUSTER_NOT_FOUND);
  EXPECT_EQ(config.status().cause(), "MUSTER_CONFIG: cannot read configuration file " +
                                         path("none.toml") + ": No such file or directory");
}

TEST_F(Layers, GivenAFolderOrAPipeAsFileWhenLoadedThenItIsAnErrorEvenWhereOptional) {
  ConfigInputs inputs;
  inputs.system_file = path("folder");
  std::filesystem::create_directory(inputs.system_file);
  EXPECT_EQ(load_config(inputs).status().cause(),
            "cannot read configuration file " + path("folder") + ": Is a directory");
  inputs.system_file = path("pipe");
  ASSERT_EQ(mkfifo(inputs.system_file.c_str(), 0600), 0);
  EXPECT_EQ(load_config(inputs).status().cause(),
            "cannot read configuration file " + path("pipe") + ": not a regular file");
}

TEST_F(Layers, GivenAFileWithoutReadPermissionWhenLoadedThenItIsAnError) {
  ConfigInputs inputs;
  inputs.system_file = write("secret.toml", "");
  ASSERT_EQ(chmod(inputs.system_file.c_str(), 0), 0);
  const Result<Config> config = load_config(inputs);
  // The superuser may read it all the same.
  if (access(inputs.system_file.c_str(), R_OK) == 0) {
    EXPECT_TRUE(config.ok());
  } else {
    EXPECT_EQ(config.status().code(), MUSTER_PERMISSION_DENIED);
    EXPECT_EQ(config.status().cause(),
              "cannot read configuration file " + path("secret.toml") + ": Permission denied");
  }
}

TEST_F(Layers, GivenAFileAboveTheLimitWhenLoadedThenItIsRefused) {
  ConfigInputs inputs;
  inputs.required_file = write("large.toml", std::string((1 << 20) + 1, '#'));
  EXPECT_EQ(load_config(inputs).status().cause(),
            path("large.toml") + ": larger than 1048576 bytes");
  inputs.required_file = "/dev/null";
  EXPECT_TRUE(load_config(inputs).ok());
}

}  // namespace
}  // namespace muster

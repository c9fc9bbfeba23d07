#include "config/environment.hpp"

#include <gmock/gmock.h>

#include "config/options.hpp"
#include "core/base/log.hpp"
#include "tests/unit/config/config_fixture.hpp"

namespace muster {
namespace {

Result<Config> load_variables(std::map<std::string, std::string> variables) {
  ConfigInputs inputs;
  inputs.environment = std::move(variables);
  return load_config(inputs);
}

// The log lines of one scope.
class CapturedLog {
 public:
  CapturedLog() {
    set_log_sink(
        [](void* self, muster_log_level, const char* line) {
          static_cast<CapturedLog*>(self)->lines.emplace_back(line);
        },
        this);
  }
  ~CapturedLog() { set_log_sink(nullptr, nullptr); }
  std::vector<std::string> lines;
};

TEST(Environment, GivenAVariableOfEveryFormWhenLoadedThenItIsSet) {
  const Result<Config> config = load_variables({{"MUSTER_GROUP_TIMEOUT_MS", "1234"},
                                                {"MUSTER_CHECK_CALLS", "on"},
                                                {"MUSTER_CHECK_KNOWN_ANSWER", "0"},
                                                {"MUSTER_PLUGINS_PROBE", "in-process"},
                                                {"MUSTER_BOOTSTRAP_KIND", "mpi"},
                                                {"MUSTER_PLUGINS_CACHE_DIR", "/c"},
                                                {"MUSTER_PLUGINS_TRUST_OWNERS", "a,b"},
                                                {"MUSTER_PLUGINS_PATH", ":/a::/b:"},
                                                {"MUSTER_FALLBACK_POLICY", ""}});
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->group_timeout_ms.value, 1234u);
  EXPECT_EQ(config->group_timeout_ms.source.text(), "MUSTER_GROUP_TIMEOUT_MS");
  EXPECT_TRUE(config->check_calls.value);
  EXPECT_FALSE(config->check_known_answer.value);
  EXPECT_EQ(config->plugins_probe.value, ProbeMode::kInProcess);
  EXPECT_EQ(config->bootstrap_kind.value, "mpi");
  EXPECT_EQ(config->plugins_cache_dir.value, "/c");
  EXPECT_EQ(config->plugins_trust_owners.value, (Strings{"a", "b"}));
  EXPECT_EQ(config->plugins_path.value, (Strings{"/a", "/b"}));
  EXPECT_EQ(config->fallback_policy.source.text(), "default");
}

TEST(Environment, GivenEveryOptionWhenItsVariableIsWrongThenTheErrorNamesTheVariable) {
  for (const Option& option : options()) {
    if (option.form == OptionForm::kNames) continue;
    const Result<Config> config = load_variables({{variable_of(option), "not/ right"}});
    ASSERT_FALSE(config.ok()) << option.key;
    EXPECT_TRUE(config.status().cause().starts_with(variable_of(option) + ": '")) << option.key;
  }
}

TEST(Environment, GivenBackendVariablesWhenLoadedThenTheySetThatBackend) {
  const Result<Config> config = load_variables({{"MUSTER_BACKEND_CUDA_PEER_PRIORITY", "70"},
                                                {"MUSTER_BACKEND_CUDA_PEER_MODE", "required"},
                                                {"MUSTER_BACKEND_SHM_OPTIONS_MODE", "x"},
                                                {"MUSTER_BACKEND_SHM_OPTIONS_BUFFER_MB", "4"}});
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->backends.at("cuda_peer").priority->value, 70);
  EXPECT_EQ(config->backends.at("cuda_peer").mode->value, Mode::kRequired);
  EXPECT_EQ(config->backends.at("shm").options.at("mode").value, "x");
  EXPECT_EQ(config->backends.at("shm").options.at("buffer_mb").value, "4");
  EXPECT_EQ(config->backends.at("shm").options.at("mode").source.text(),
            "MUSTER_BACKEND_SHM_OPTIONS_MODE");
  EXPECT_EQ(config->backends.size(), 2u);
}

TEST(Environment, GivenWrongBackendVariablesWhenLoadedThenTheErrorsNameThem) {
  EXPECT_EQ(load_variables({{"MUSTER_BACKEND_SHM_PRIORITY", "-1"}}).status().cause(),
            "MUSTER_BACKEND_SHM_PRIORITY: 'priority' cannot be -1");
  EXPECT_EQ(load_variables({{"MUSTER_BACKEND_SHM_PRIORITY", "8x"}}).status().cause(),
            "MUSTER_BACKEND_SHM_PRIORITY: 'priority' must be an integer, not a string");
  EXPECT_EQ(load_variables({{"MUSTER_BACKEND_SHM_MODE", "on"}}).status().cause(),
            "MUSTER_BACKEND_SHM_MODE: 'mode' cannot be \"on\"");
}

TEST(Environment, GivenTheLogAliasWhenLoadedThenItSetsTheLevelUnlessTheFullNameDoes) {
  const Result<Config> alias = load_variables({{"MUSTER_LOG", "info"}});
  EXPECT_EQ(alias->log_level.value, "info");
  EXPECT_EQ(alias->log_level.source.text(), "MUSTER_LOG");
  const Result<Config> both =
      load_variables({{"MUSTER_LOG", "info"}, {"MUSTER_LOG_LEVEL", "error"}});
  EXPECT_EQ(both->log_level.value, "error");
}

TEST(Environment, GivenAnUnknownVariableWhenLoadedThenAWarningNamesTheNearest) {
  const CapturedLog log;
  EXPECT_TRUE(load_variables({{"MUSTER_GROUP_TIMEOUT", "5"},
                              {"MUSTER_BACKEND_SHM", "5"},
                              {"MUSTER_CONFIG", "/x"},
                              {"MUSTER_LOCAL_RANK", "0"}})
                  .ok());
  EXPECT_THAT(log.lines,
              ::testing::ElementsAre(
                  ::testing::StartsWith("environment variable MUSTER_BACKEND_SHM is not known"),
                  "environment variable MUSTER_GROUP_TIMEOUT is not known; did you mean "
                  "MUSTER_GROUP_TIMEOUT_MS?"));
}

constexpr const char* kVariables[] = {"HOME=/home/x",
                                      "PATH=/bin",
                                      "MUSTER_CONFIG=/c.toml",
                                      "MUSTER_PLUGINS_PATH=/p",
                                      "MUSTER_PLUGINS_TRUST_OWNERS=evil",
                                      "MUSTER_BACKEND_X_OPTIONS_LIBRARY=/evil.so",
                                      "MUSTER_LOG=info",
                                      nullptr};

TEST(Environment, GivenAnOrdinaryProcessWhenInputsAreTakenThenFilesAndVariablesAreFound) {
  const ConfigInputs inputs = config_inputs_from(kVariables, false);
  EXPECT_EQ(inputs.system_file, "/etc/muster/muster.toml");
  EXPECT_EQ(inputs.user_file, "/home/x/.config/muster/muster.toml");
  EXPECT_EQ(inputs.required_file, "/c.toml");
  EXPECT_EQ(inputs.home, "/home/x");
  EXPECT_EQ(inputs.environment.size(), 5u);
  EXPECT_EQ(inputs.environment.at("MUSTER_PLUGINS_PATH"), "/p");
  const char* const with_xdg[] = {"XDG_CONFIG_HOME=/xdg", "HOME=/home/x", nullptr};
  EXPECT_EQ(config_inputs_from(with_xdg, false).user_file, "/xdg/muster/muster.toml");
  const char* const relative_xdg[] = {"XDG_CONFIG_HOME=xdg", nullptr};
  EXPECT_EQ(config_inputs_from(relative_xdg, false).user_file, "");
}

TEST(Environment, GivenElevatedPrivilegeWhenInputsAreTakenThenWhatNamesFilesIsIgnored) {
  const ConfigInputs inputs = config_inputs_from(kVariables, true);
  EXPECT_EQ(inputs.system_file, "/etc/muster/muster.toml");
  EXPECT_EQ(inputs.user_file, "");
  EXPECT_EQ(inputs.required_file, "");
  EXPECT_EQ(inputs.home, "");
  EXPECT_EQ(inputs.environment, (std::map<std::string, std::string>{{"MUSTER_LOG", "info"}}));
}

TEST(Environment, GivenThisProcessWhenInputsAreTakenThenTheProgramsPartsAreIn) {
  const ConfigInputs inputs = config_inputs_of_process("/a.toml", "text");
  EXPECT_EQ(inputs.system_file, "/etc/muster/muster.toml");
  EXPECT_EQ(inputs.api_file, "/a.toml");
  EXPECT_EQ(inputs.api_text, "text");
}

}  // namespace
}  // namespace muster

// Shared by the tests of config/: texts and files to load.
#ifndef MUSTER_TESTS_UNIT_CONFIG_CONFIG_FIXTURE_HPP
#define MUSTER_TESTS_UNIT_CONFIG_CONFIG_FIXTURE_HPP

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "config/config.hpp"

namespace muster {

inline Result<Config> load_text(const std::string& text) {
  ConfigInputs inputs;
  inputs.api_text = text;
  return load_config(inputs);
}

// The configuration of a text that must be right.
inline Config config_of(const std::string& text) {
  Result<Config> config = load_text(text);
  EXPECT_TRUE(config.ok()) << config.status().message();
  return config.ok() ? std::move(config).value() : Config{};
}

// "cause; remedy" of a text that must be wrong.
inline std::string error_of(const std::string& text) {
  const Result<Config> config = load_text(text);
  EXPECT_FALSE(config.ok());
  return config.status().cause() + "; " + config.status().remedy();
}

// A folder of its own for every test, removed with what is in it.
class ConfigFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/muster-config-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }

 private:
  std::string folder_;
};

}  // namespace muster

#endif

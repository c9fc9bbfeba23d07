#include <fmt/format.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "config/environment.hpp"
#include "config/file_text.hpp"
#include "config/glob.hpp"
#include "config/sections.hpp"

namespace muster {
namespace {

Status read_text(const std::string& text, const Source& origin, const std::string& home,
                 Config& config) {
  const std::string name = origin.text();
  Result<TomlNode> root = parse_toml(text, name);
  if (!root.ok()) return root.take_status();
  FileContext file{origin, home, {}};
  read_document(*root, file, config);
  return file.problems.status(name);
}

// `asked_by`: who named the file, for errors; empty when it may be missing.
Status read_file(const std::string& path, std::string_view asked_by, const std::string& home,
                 Config& config) {
  if (path.empty()) return Status();
  Result<std::string> text = read_config_file(path);
  if (!text.ok()) {
    if (!asked_by.empty()) return text.status().within(asked_by);
    return text.status().code() == MUSTER_NOT_FOUND ? Status() : text.take_status();
  }
  MUSTER_TRY(read_text(*text, {Source::Kind::kFile, path}, home, config));
  config.files.push_back(path);
  return Status();
}

// Two globs of equal rank leave open which of them a name belongs to.
Status check_ties(const Config& config) {
  for (size_t i = 0; i < config.groups.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const GroupSettings& a = config.groups[j];
      const GroupSettings& b = config.groups[i];
      if (is_exact(a.glob) || is_exact(b.glob)) continue;
      if (glob_rank(a.glob) != glob_rank(b.glob) || !globs_overlap(a.glob, b.glob)) continue;
      return Status(MUSTER_INVALID_ARGUMENT,
                    fmt::format("{}: group \"{}\" ties with \"{}\" of {}: some names match both",
                                b.source.text(), b.glob, a.glob, a.source.text()),
                    "make the text before the first * or ? of one of them longer");
    }
  }
  return Status();
}

}  // namespace

ConfigInputs config_inputs_of_process(std::string api_file, std::string api_text) {
  ConfigInputs inputs = config_inputs_from(environ, getauxval(AT_SECURE) != 0);
  inputs.api_file = std::move(api_file);
  inputs.api_text = std::move(api_text);
  return inputs;
}

Result<Config> load_config(const ConfigInputs& inputs) {
  Config config;
  const std::string& home = inputs.home;
  MUSTER_TRY(read_file(inputs.system_file, "", {}, config));
  MUSTER_TRY(read_file(inputs.user_file, "", home, config));
  MUSTER_TRY(read_file(inputs.required_file, "MUSTER_CONFIG", home, config));
  MUSTER_TRY(apply_environment(inputs.environment, home, config));
  MUSTER_TRY(read_file(inputs.api_file, "the program", home, config));
  if (!inputs.api_text.empty()) {
    MUSTER_TRY(read_text(inputs.api_text, {Source::Kind::kApi, {}}, home, config));
  }
  MUSTER_TRY(check_ties(config));
  return config;
}

}  // namespace muster

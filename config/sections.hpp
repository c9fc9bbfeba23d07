// The sections of a configuration file: each reads its part of the tree into the configuration and
// adds what is wrong to the problems.
#ifndef MUSTER_CONFIG_SECTIONS_HPP
#define MUSTER_CONFIG_SECTIONS_HPP

#include <span>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "config/problems.hpp"
#include "config/toml_node.hpp"

namespace muster {

// What all sections of one file share.
struct FileContext {
  Source origin;     // kind and name; the sections add line and column
  std::string home;  // for ~/; "" where it is not expanded
  Problems problems;

  Source source(TextPosition at) const { return {origin.kind, origin.name, at.line, at.column}; }
};

// "unknown key 'x' in [section]", with the nearest of the known ones, or all when none is near.
ValueProblem unknown_key(std::string_view key, std::string_view section,
                         std::span<const std::string_view> known);

// [backend.id] and [group."glob".backend.id]; `section` is the title, for messages.
void read_backend(const TomlNode& node, const std::string& section, FileContext& file,
                  BackendSettings& backend);
// [backend] or [group."glob".backend]: ids to settings.
void read_backends(const TomlNode& node, const std::string& section, FileContext& file,
                   std::map<std::string, BackendSettings>& backends);
// [group."glob"]
void read_group(const TomlNode& node, FileContext& file, Config& config);
// One [[rule]]
PolicyRule read_rule(const TomlNode& node, FileContext& file);
// A whole file, over what `config` holds: scalars override, lists and rules go in front.
void read_document(const TomlNode& root, FileContext& file, Config& config);

}  // namespace muster

#endif

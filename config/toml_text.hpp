// TOML text to toml11's tree, compiled here once: the parser takes ten seconds in every file that
// instantiates it. Any thread.
#ifndef MUSTER_CONFIG_TOML_TEXT_HPP
#define MUSTER_CONFIG_TOML_TEXT_HPP

#include <map>
#include <string>
#include <string_view>
#include <toml.hpp>
#include <vector>

namespace muster {

using Toml = toml::basic_value<toml::discard_comments, std::map, std::vector>;

// Throws toml::exception, whose text calls the file by `name`.
Toml parse_toml_text(std::string_view text, const std::string& name);

}  // namespace muster

#endif

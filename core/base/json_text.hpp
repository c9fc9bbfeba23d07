// JSON as text, both ways. nlohmann's reader and writer are compiled here once: they take seconds
// in every file that instantiates them. Any thread.
#ifndef MUSTER_CORE_BASE_JSON_TEXT_HPP
#define MUSTER_CORE_BASE_JSON_TEXT_HPP

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace muster {

// Indented by so many spaces, or in one line (-1). Bytes that are no UTF-8, which plugins and file
// names may hold, are replaced.
std::string json_text(const nlohmann::json& json, int indent = -1);
std::string json_text(const nlohmann::ordered_json& json, int indent = -1);

// Throws nlohmann::json::parse_error; is a nlohmann::json::exception, as what access throws.
nlohmann::json parse_json(std::string_view text);
// Keeps the order of keys.
nlohmann::ordered_json parse_ordered_json(std::string_view text);
// Text that is no JSON comes back as is_discarded().
nlohmann::json parse_json_or_discard(std::string_view text);

}  // namespace muster

#endif

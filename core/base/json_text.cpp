#include "core/base/json_text.hpp"

#include <nlohmann/json.hpp>

namespace muster {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

std::string json_text(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string json_text(const OrderedJson& json, int indent) {
  return json.dump(indent, ' ', false, OrderedJson::error_handler_t::replace);
}

Json parse_json(std::string_view text) { return Json::parse(text); }

OrderedJson parse_ordered_json(std::string_view text) { return OrderedJson::parse(text); }

Json parse_json_or_discard(std::string_view text) { return Json::parse(text, nullptr, false); }

}  // namespace muster

#include "core/cli/workload_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include "config/toml_text.hpp"
#include "core/base/names.hpp"
#include "core/parallel/roles.hpp"

namespace muster {
namespace {

using Value = Toml;
using Table = std::map<std::string, Value>;

// toml11 descends once per bracket: the file decides how deep our stack gets.
constexpr int kMaxNesting = 16;

class WorkloadReader {
 public:
  explicit WorkloadReader(const std::string& path) { workload_.path = path; }

  Result<Workload> read(const Value& root) {
    MUSTER_TRY(known_keys(
        root, {"schema", "title", "sources", "dimensions", "layout", "variables", "call"}));
    MUSTER_TRY(header(root));
    MUSTER_TRY(layout(root));
    MUSTER_TRY(dimensions(root));
    MUSTER_TRY(variables(root, "variables", &workload_.variables));
    MUSTER_TRY(calls(root));
    workload_.name = std::filesystem::path(workload_.path).stem().string();
    return std::move(workload_);
  }

 private:
  Status failure(const Value& at, std::string_view cause, std::string_view remedy = {}) const {
    return Status(MUSTER_INVALID_ARGUMENT,
                  fmt::format("{}:{}: {}", workload_.path, at.location().line(), cause), remedy);
  }

  Status known_keys(const Value& table, const std::vector<std::string_view>& known) const {
    for (const auto& [key, value] : table.as_table()) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      const std::string_view near = nearest_name(key, known);
      return failure(value, fmt::format("unknown key '{}'", key),
                     near.empty() ? "" : fmt::format("did you mean '{}'?", near));
    }
    return {};
  }

  // The member, or nothing if it is optional and absent.
  Result<const Value*> member(const Value& table, const std::string& key, toml::value_t type,
                              bool required = true) const {
    const auto found = table.as_table().find(key);
    if (found == table.as_table().end()) {
      if (required) return failure(table, fmt::format("'{}' is missing", key));
      return static_cast<const Value*>(nullptr);
    }
    if (found->second.type() != type) {
      std::ostringstream wanted;
      wanted << type;
      return failure(found->second, fmt::format("'{}' must be of type {}", key, wanted.str()));
    }
    return &found->second;
  }

  Result<std::string> text(const Value& table, const std::string& key, bool required) const {
    Result<const Value*> value = member(table, key, toml::value_t::string, required);
    if (!value.ok()) return value.take_status();
    return *value == nullptr ? std::string() : (*value)->as_string().str;
  }

  Result<uint64_t> number(const Value& value) const {
    // toml11 saturates what does not fit.
    if (!value.is_integer() || value.as_integer() < 0 || value.as_integer() == INT64_MAX) {
      return failure(value, "must be an integer from 0 to 2^63 - 2");
    }
    return static_cast<uint64_t>(value.as_integer());
  }

  Result<Expression> expression(const Value& value) const {
    if (value.is_string()) {
      Result<Expression> parsed = Expression::parse(value.as_string().str);
      if (!parsed.ok()) return failure(value, parsed.status().cause());
      return parsed;
    }
    Result<uint64_t> plain = number(value);
    if (!plain.ok()) return failure(value, "must be a number or an expression in quotes");
    return Expression::parse(std::to_string(*plain));
  }

  // The members in the file's order, which the table type does not keep.
  static std::vector<std::pair<std::string, const Value*>> in_order(const Value& table) {
    std::vector<std::pair<std::string, const Value*>> members;
    for (const auto& [key, value] : table.as_table()) members.emplace_back(key, &value);
    std::stable_sort(members.begin(), members.end(), [](const auto& a, const auto& b) {
      return a.second->location().line() < b.second->location().line();
    });
    return members;
  }

  Status header(const Value& root) {
    Result<std::string> schema = text(root, "schema", true);
    if (!schema.ok()) return schema.take_status();
    if (*schema != "muster.workload/1") {
      return failure(root, fmt::format("schema is '{}'", *schema),
                     "this muster reads muster.workload/1");
    }
    Result<std::string> title = text(root, "title", true);
    if (!title.ok()) return title.take_status();
    workload_.title = *title;
    Result<const Value*> sources = member(root, "sources", toml::value_t::array);
    if (!sources.ok()) return sources.take_status();
    for (const Value& source : (*sources)->as_array()) {
      if (!source.is_string()) return failure(source, "a source must be a string");
      workload_.sources.push_back(source.as_string().str);
    }
    if (workload_.sources.empty()) return failure(**sources, "sources is empty");
    return {};
  }

  // Dimensions, layout and variables share one space of names.
  Status define(const Value& at, const std::string& name) {
    if (name == "ranks") return failure(at, "'ranks' is given by the caller");
    if (reserved_.count(name) != 0) {
      return failure(at, fmt::format("'{}' is a size of the layout", name), "[layout] sets those");
    }
    if (!names_.insert(name).second) return failure(at, fmt::format("'{}' is defined twice", name));
    return {};
  }

  Status dimensions(const Value& root) {
    Result<const Value*> table = member(root, "dimensions", toml::value_t::table);
    if (!table.ok()) return table.take_status();
    for (const auto& [name, value] : (*table)->as_table()) {
      MUSTER_TRY(define(value, name));
      Result<uint64_t> plain = number(value);
      if (!plain.ok()) return plain.take_status().within(name);
      workload_.dimensions.emplace(name, *plain);
    }
    return {};
  }

  Status layout(const Value& root) {
    MUSTER_TRY(variables(root, "layout", &workload_.layout));
    for (const WorkloadVariable& size : workload_.layout) {
      const Result<muster_layout_sizes> known = parse_layout(size.name + "=1");
      if (known.ok()) continue;
      return failure(root.at("layout"), known.status().cause(), known.status().remedy());
    }
    reserved_.insert("ep");
    for (muster_role role = MUSTER_ROLE_WORLD; role < MUSTER_ROLE_END; ++role) {
      reserved_.insert(muster_role_name(role));
    }
    return {};
  }

  Status variables(const Value& root, const char* name_of_table,
                   std::vector<WorkloadVariable>* into) {
    Result<const Value*> table = member(root, name_of_table, toml::value_t::table);
    if (!table.ok()) return table.take_status();
    for (const auto& [name, value] : in_order(**table)) {
      MUSTER_TRY(define(*value, name));
      WorkloadVariable variable{name, {}, {}};
      const Value* fallback = value;
      if (value->is_table()) {
        MUSTER_TRY(known_keys(*value, {"default", "one_of"}));
        const auto found = value->as_table().find("default");
        if (found == value->as_table().end()) return failure(*value, "'default' is missing");
        fallback = &found->second;
        Result<const Value*> allowed = member(*value, "one_of", toml::value_t::array, false);
        if (!allowed.ok()) return allowed.take_status();
        if (*allowed != nullptr) {
          for (const Value& choice : (*allowed)->as_array()) {
            Result<Expression> parsed = expression(choice);
            if (!parsed.ok()) return parsed.take_status();
            variable.one_of.push_back(std::move(*parsed));
          }
        }
      }
      Result<Expression> parsed = expression(*fallback);
      if (!parsed.ok()) return parsed.take_status();
      variable.fallback = std::move(*parsed);
      into->push_back(std::move(variable));
    }
    return {};
  }

  Status calls(const Value& root) {
    Result<const Value*> array = member(root, "call", toml::value_t::array);
    if (!array.ok()) return array.take_status();
    for (const Value& call : (*array)->as_array()) {
      if (!call.is_table()) return failure(call, "a call must be a table");
      MUSTER_TRY(
          known_keys(call, {"name", "op", "dtype", "redop", "role", "count", "repeat", "when",
                            "unless", "route", "tokens", "experts", "experts_per_token"}));
      WorkloadEntry entry;
      MUSTER_TRY(vocabulary(call, &entry));
      MUSTER_TRY(role_names(call, &entry));
      MUSTER_TRY(amount(call, "count", entry.op == MUSTER_BARRIER ? "0" : nullptr, &entry.count));
      MUSTER_TRY(amount(call, "repeat", "1", &entry.repeat));
      MUSTER_TRY(routing(call, &entry));
      entry.line = static_cast<uint32_t>(call.location().line());
      workload_.entries.push_back(std::move(entry));
    }
    return {};
  }

  Status vocabulary(const Value& call, WorkloadEntry* entry) const {
    Result<std::string> name = text(call, "name", true);
    Result<std::string> op = text(call, "op", true);
    Result<std::string> dtype = text(call, "dtype", false);
    Result<std::string> redop = text(call, "redop", false);
    for (Result<std::string>* field : {&name, &op, &dtype, &redop}) {
      if (!field->ok()) return field->take_status();
    }
    const auto unknown = [&](std::string_view what, const std::string& value,
                             const std::string& all) {
      return failure(call, fmt::format("call '{}': no {} is named '{}'", *name, what, value),
                     fmt::format("use one of {}", all));
    };
    const std::optional<muster_op> op_value = op_from_name(*op);
    if (!op_value) return unknown("operation", *op, all_op_names());
    const bool barrier = *op_value == MUSTER_BARRIER;
    const std::optional<muster_dtype> dtype_value = dtype_from_name(*dtype);
    if (!barrier && !dtype_value) return unknown("dtype", *dtype, all_dtype_names());
    const std::optional<muster_redop> redop_value = redop_from_name(*redop);
    if (op_reduces(*op_value) && !redop_value) return unknown("redop", *redop, all_redop_names());
    if (op_is_point_to_point(*op_value) || *op_value == MUSTER_FUSED_ALL_REDUCE_RMSNORM) {
      return failure(
          call, fmt::format("call '{}': {} is not a collective that can be replayed", *name, *op));
    }
    if (op_reduces(*op_value) && !redop_applies(*redop_value, *dtype_value)) {
      return failure(call,
                     fmt::format("call '{}': {} is not defined for {}", *name, *redop, *dtype));
    }
    if (!op_reduces(*op_value) && !redop->empty()) {
      return failure(call, fmt::format("call '{}': {} takes no redop", *name, *op));
    }
    entry->name = *name;
    entry->op = *op_value;
    entry->dtype = barrier ? muster_dtype{MUSTER_DTYPE_NONE} : *dtype_value;
    entry->redop = redop_value.value_or(MUSTER_REDOP_NONE);
    return {};
  }

  Status role_names(const Value& call, WorkloadEntry* entry) const {
    const std::pair<const char*, muster_role*> fields[] = {
        {"role", &entry->role}, {"when", &entry->when}, {"unless", &entry->unless}};
    for (const auto& [key, target] : fields) {
      const bool required = target == &entry->role;
      Result<std::string> name = text(call, key, required);
      if (!name.ok()) return name.take_status();
      if (name->empty() && !required) continue;
      const std::optional<muster_role> role = role_from_name(*name);
      if (!role) {
        const Status unknown = unknown_role(*name);
        return failure(call, fmt::format("call '{}': {}", entry->name, unknown.cause()),
                       unknown.remedy());
      }
      *target = *role;
    }
    return {};
  }

  // Keys that only routed calls have, and need.
  Status routing(const Value& call, WorkloadEntry* entry) const {
    const std::pair<const char*, Expression*> fields[] = {{"tokens", &entry->tokens},
                                                          {"experts", &entry->experts},
                                                          {"experts_per_token", &entry->choices}};
    Result<std::string> route = text(call, "route", false);
    if (!route.ok()) return route.take_status();
    if (route->empty()) {
      for (const auto& [key, target] : fields) {
        if (call.as_table().count(key) == 0) continue;
        return failure(call, fmt::format("call '{}': '{}' is for routed calls", entry->name, key),
                       "add route = \"dispatch\" or \"combine\"");
      }
      if (entry->op != MUSTER_ALL_TO_ALLV) return {};
      return failure(call, fmt::format("call '{}': all_to_allv needs 'route'", entry->name),
                     "add route = \"dispatch\" or \"combine\"");
    }
    if (*route != "dispatch" && *route != "combine") {
      return failure(call, fmt::format("call '{}': route is '{}'", entry->name, *route),
                     "it is \"dispatch\" or \"combine\"");
    }
    if (entry->op != MUSTER_ALL_TO_ALLV) {
      return failure(call, fmt::format("call '{}': only all_to_allv is routed", entry->name));
    }
    entry->route = *route == "dispatch" ? Route::kDispatch : Route::kCombine;
    for (const auto& [key, target] : fields) MUSTER_TRY(amount(call, key, nullptr, target));
    return {};
  }

  Status amount(const Value& call, const std::string& key, const char* fallback,
                Expression* target) const {
    const auto found = call.as_table().find(key);
    if (found == call.as_table().end() && fallback == nullptr) {
      return failure(call, fmt::format("'{}' is missing", key));
    }
    Result<Expression> parsed =
        found == call.as_table().end() ? Expression::parse(fallback) : expression(found->second);
    if (!parsed.ok()) return parsed.take_status();
    *target = std::move(*parsed);
    return {};
  }

  Workload workload_;
  std::set<std::string> names_;
  std::set<std::string> reserved_;  // for [dimensions] once [layout] is read
};

bool nests_too_deeply(std::string_view text) {
  int depth = 0;
  for (const char c : text) {
    if (c == '[' || c == '{') ++depth;
    if ((c == ']' || c == '}') && depth > 0) --depth;
    if (depth > kMaxNesting) return true;
  }
  return false;
}

}  // namespace

Result<Workload> parse_workload(std::string_view text, const std::string& path) {
  if (nests_too_deeply(text)) {
    return Status(MUSTER_INVALID_ARGUMENT, fmt::format("{}: brackets nest too deeply", path));
  }
  try {
    return WorkloadReader(path).read(parse_toml_text(text, path));
  } catch (const std::exception& error) {
    return Status(MUSTER_INVALID_ARGUMENT, fmt::format("{}: {}", path, error.what()));
  }
}

}  // namespace muster

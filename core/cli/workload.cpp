#include "core/cli/workload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <set>
#include <system_error>

#include "core/base/names.hpp"
#include "core/cli/workload_file.hpp"
#include "core/parallel/roles.hpp"

namespace muster {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxFileBytes = size_t{256} * 1024;

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  if (file) {
    text.resize(kMaxFileBytes + 1);
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<size_t>(file.gcount()));
  }
  if (file.bad() || (text.empty() && !file.eof())) {
    return Status(MUSTER_NOT_FOUND,
                  fmt::format("workload {} cannot be read: {}", path, std::strerror(errno)));
  }
  if (text.size() > kMaxFileBytes) {
    return Status(MUSTER_OUT_OF_RANGE,
                  fmt::format("workload {} is larger than {} bytes", path, kMaxFileBytes));
  }
  return text;
}

Status not_found(std::string_view name, const std::vector<std::string>& directories) {
  const std::vector<std::string> known = list_workloads(directories);
  if (known.empty()) {
    return Status(MUSTER_NOT_FOUND,
                  fmt::format("no workload is named '{}': there is none in {}", name,
                              fmt::join(directories, ", ")),
                  "give the path of a workload file");
  }
  const std::vector<std::string_view> views(known.begin(), known.end());
  const std::string_view near = nearest_name(name, views);
  return Status(MUSTER_NOT_FOUND, fmt::format("no workload is named '{}'", name),
                near.empty()
                    ? fmt::format("use one of {}, or the path of a file", fmt::join(known, ", "))
                    : fmt::format("did you mean '{}'?", near));
}

// What is given must be something that the file declares.
Status check_names(const Workload& workload, const std::map<std::string, uint64_t>& given) {
  std::vector<std::string_view> known{"ranks"};
  for (const auto* declared : {&workload.layout, &workload.variables}) {
    for (const WorkloadVariable& variable : *declared) known.push_back(variable.name);
  }
  for (const auto& [name, value] : given) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return Status(
        MUSTER_INVALID_ARGUMENT,
        fmt::format("workload {} has no layout size or variable '{}'", workload.name, name),
        fmt::format("it has {}", fmt::join(known, ", ")));
  }
  const auto ranks = given.find("ranks");
  if (ranks == given.end() || ranks->second == 0 || ranks->second > UINT32_MAX) {
    return Status(MUSTER_INVALID_ARGUMENT, "a workload needs the number of ranks, 1 to 2^32 - 1");
  }
  return {};
}

// Adds the value of a layout size or variable.
Status resolve(const Workload& workload, const WorkloadVariable& variable,
               const std::map<std::string, uint64_t>& given, Expression::Values* values) {
  const auto set = given.find(variable.name);
  Result<uint64_t> value =
      set != given.end() ? Result<uint64_t>(set->second) : variable.fallback.evaluate(*values);
  if (!value.ok()) {
    return value.status().within(fmt::format("{}: '{}'", workload.path, variable.name));
  }
  bool allowed = variable.one_of.empty();
  std::vector<uint64_t> choices;
  for (const Expression& choice : variable.one_of) {
    Result<uint64_t> one = choice.evaluate(*values);
    if (!one.ok()) return one.status().within(workload.path);
    allowed = allowed || *one == *value;
    choices.push_back(*one);
  }
  if (!allowed) {
    return Status(MUSTER_OUT_OF_RANGE,
                  fmt::format("workload {}: {} is {}", workload.name, variable.name, *value),
                  fmt::format("with {} ranks it is one of {}", values->at("ranks"),
                              fmt::join(choices, ", ")));
  }
  values->insert_or_assign(variable.name, *value);
  return {};
}

// The layout, and under every role's name its size.
Status resolve_layout(const Workload& workload, const std::map<std::string, uint64_t>& given,
                      Expression::Values* values, WorkloadRun* run) {
  std::string& text = run->layout_text;
  for (const WorkloadVariable& size : workload.layout) {
    MUSTER_TRY(resolve(workload, size, given, values));
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", size.name, values->at(size.name));
  }
  const auto where = [&] { return fmt::format("workload {}", workload.name); };
  Result<muster_layout_sizes> sizes = parse_layout(text);
  if (!sizes.ok()) return sizes.take_status().within(where());
  Result<LayoutSizes> complete =
      complete_layout(*sizes, static_cast<uint32_t>(values->at("ranks")));
  if (!complete.ok()) return complete.take_status().within(where());
  run->layout = *sizes;
  for (muster_role role = MUSTER_ROLE_WORLD; role < MUSTER_ROLE_END; ++role) {
    values->insert_or_assign(muster_role_name(role), role_shape(*complete, role).length);
  }
  return {};
}

// Elements that the whole group of a step moves at most.
Result<uint64_t> elements_of(const Step& step) {
  uint64_t elements = step.count;
  const uint64_t factors[] = {step.group_size, step.route == Route::kNone ? 1 : step.tokens,
                              step.route == Route::kNone ? 1 : step.choices};
  for (const uint64_t factor : factors) {
    if (__builtin_mul_overflow(elements, factor, &elements)) {
      return Status(MUSTER_OUT_OF_RANGE,
                    fmt::format("{} elements exceed 64 bits of bytes", step.count));
    }
  }
  return elements;
}

}  // namespace

std::vector<std::string> workload_directories() {
  std::error_code error;
  const fs::path executable = fs::read_symlink("/proc/self/exe", error);
  if (error) return {};
  return {(executable.parent_path().parent_path() / "share/muster/workloads").string()};
}

std::vector<std::string> list_workloads(const std::vector<std::string>& directories) {
  std::set<std::string> names;
  for (const std::string& directory : directories) {
    std::error_code error;
    for (fs::directory_iterator at(directory, error), end; !error && at != end;
         at.increment(error)) {
      if (at->path().extension() == ".toml") names.insert(at->path().stem().string());
    }
  }
  return {names.begin(), names.end()};
}

Result<Workload> load_workload(std::string_view name_or_path,
                               const std::vector<std::string>& directories) {
  std::string path(name_or_path);
  if (!name_or_path.ends_with(".toml") && name_or_path.find('/') == std::string_view::npos) {
    const auto holds = [&](const std::string& directory) {
      std::error_code error;
      path = (fs::path(directory) / fmt::format("{}.toml", name_or_path)).string();
      return fs::is_regular_file(path, error);
    };
    if (name_or_path.empty() || std::none_of(directories.begin(), directories.end(), holds)) {
      return not_found(name_or_path, directories);
    }
  }
  Result<std::string> text = read_file(path);
  if (!text.ok()) return text.take_status();
  return parse_workload(*text, path);
}

Result<WorkloadRun> evaluate(const Workload& workload,
                             const std::map<std::string, uint64_t>& given) {
  MUSTER_TRY(check_names(workload, given));
  Expression::Values values = workload.dimensions;
  values.emplace("ranks", given.at("ranks"));
  WorkloadRun run;
  MUSTER_TRY(resolve_layout(workload, given, &values, &run));
  for (const WorkloadVariable& variable : workload.variables) {
    MUSTER_TRY(resolve(workload, variable, given, &values));
  }
  const auto size_of = [&](muster_role role) { return values.at(muster_role_name(role)); };
  for (const WorkloadEntry& entry : workload.entries) {
    if (size_of(entry.role) == 1) continue;
    if (entry.when != MUSTER_ROLE_NONE && size_of(entry.when) == 1) continue;
    if (entry.unless != MUSTER_ROLE_NONE && size_of(entry.unless) != 1) continue;
    const auto where = [&] {
      return fmt::format("{}:{}: call '{}'", workload.path, entry.line, entry.name);
    };
    Step step{entry.name, entry.op, entry.dtype, entry.redop,
              0,          0,        entry.role,  static_cast<uint32_t>(size_of(entry.role)),
              entry.route};
    std::vector<std::pair<const Expression*, uint64_t*>> amounts = {{&entry.count, &step.count},
                                                                    {&entry.repeat, &step.repeat}};
    if (entry.route != Route::kNone) {
      amounts.insert(amounts.end(), {{&entry.tokens, &step.tokens},
                                     {&entry.experts, &step.experts},
                                     {&entry.choices, &step.choices}});
    }
    for (const auto& [expression, target] : amounts) {
      Result<uint64_t> value = expression->evaluate(values);
      if (!value.ok()) return value.status().within(where());
      *target = *value;
    }
    if (step.repeat == 0 || (step.count == 0 && entry.op != MUSTER_BARRIER)) continue;
    if (step.route != Route::kNone && (step.choices == 0 || step.choices > step.experts)) {
      return Status(MUSTER_INVALID_ARGUMENT, fmt::format("{}: {} of {} experts cannot be chosen",
                                                         where(), step.choices, step.experts));
    }
    Result<uint64_t> elements = elements_of(step);
    if (!elements.ok()) return elements.status().within(where());
    if (*elements >
        std::numeric_limits<uint64_t>::max() / std::max<uint64_t>(1, dtype_size(step.dtype))) {
      return Status(MUSTER_OUT_OF_RANGE,
                    fmt::format("{}: {} elements exceed 64 bits of bytes", where(), *elements));
    }
    run.steps.push_back(std::move(step));
  }
  return run;
}

}  // namespace muster

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

// The values that expressions of this step may name.
Result<Expression::Values> values_of(const Workload& workload,
                                     const std::map<std::string, uint64_t>& given) {
  std::vector<std::string_view> known{"ranks"};
  for (const WorkloadVariable& variable : workload.variables) known.push_back(variable.name);
  for (const auto& [name, value] : given) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return Status(MUSTER_INVALID_ARGUMENT,
                  fmt::format("workload {} has no variable '{}'", workload.name, name),
                  fmt::format("its variables are {}", fmt::join(known, ", ")));
  }
  const auto ranks = given.find("ranks");
  if (ranks == given.end() || ranks->second == 0 || ranks->second > UINT32_MAX) {
    return Status(MUSTER_INVALID_ARGUMENT, "a workload needs the number of ranks, 1 to 2^32 - 1");
  }
  Expression::Values values = workload.dimensions;
  values.emplace("ranks", ranks->second);
  for (const WorkloadVariable& variable : workload.variables) {
    const auto set = given.find(variable.name);
    Result<uint64_t> value =
        set != given.end() ? Result<uint64_t>(set->second) : variable.fallback.evaluate(values);
    if (!value.ok()) {
      return value.status().within(fmt::format("{}: variable '{}'", workload.path, variable.name));
    }
    bool allowed = variable.one_of.empty();
    std::vector<uint64_t> choices;
    for (const Expression& choice : variable.one_of) {
      Result<uint64_t> one = choice.evaluate(values);
      if (!one.ok()) return one.status().within(workload.path);
      allowed = allowed || *one == *value;
      choices.push_back(*one);
    }
    if (!allowed) {
      return Status(
          MUSTER_OUT_OF_RANGE,
          fmt::format("workload {}: {} is {}", workload.name, variable.name, *value),
          fmt::format("with {} ranks it is one of {}", ranks->second, fmt::join(choices, ", ")));
    }
    values.emplace(variable.name, *value);
  }
  return values;
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

Result<std::vector<Step>> evaluate(const Workload& workload,
                                   const std::map<std::string, uint64_t>& variables) {
  Result<Expression::Values> values = values_of(workload, variables);
  if (!values.ok()) return values.take_status();
  std::map<std::string, uint64_t> sizes;
  for (const WorkloadRole& role : workload.roles) {
    Result<uint64_t> size = role.size.evaluate(*values);
    if (!size.ok()) {
      return size.status().within(fmt::format("{}: role '{}'", workload.path, role.name));
    }
    if (*size == 0 || *size > variables.at("ranks")) {
      return Status(MUSTER_OUT_OF_RANGE,
                    fmt::format("{}: role '{}' has {} of {} ranks", workload.path, role.name, *size,
                                variables.at("ranks")));
    }
    sizes.emplace(role.name, *size);
  }
  std::vector<Step> steps;
  for (const WorkloadEntry& entry : workload.entries) {
    const uint64_t group_size = sizes.at(entry.role);
    if (group_size == 1) continue;
    if (!entry.when.empty() && sizes.at(entry.when) == 1) continue;
    if (!entry.unless.empty() && sizes.at(entry.unless) != 1) continue;
    const auto where = [&] {
      return fmt::format("{}:{}: call '{}'", workload.path, entry.line, entry.name);
    };
    Result<uint64_t> count = entry.count.evaluate(*values);
    if (!count.ok()) return count.status().within(where());
    Result<uint64_t> repeat = entry.repeat.evaluate(*values);
    if (!repeat.ok()) return repeat.status().within(where());
    if (*repeat == 0 || (*count == 0 && entry.op != MUSTER_BARRIER)) continue;
    const uint64_t per_element = group_size * std::max<uint64_t>(dtype_size(entry.dtype), 1);
    if (*count > std::numeric_limits<uint64_t>::max() / per_element) {
      return Status(MUSTER_OUT_OF_RANGE,
                    fmt::format("{}: {} elements exceed 64 bits of bytes", where(), *count));
    }
    steps.push_back(
        {entry.name, entry.op, entry.dtype, entry.redop, *count, *repeat, entry.role, group_size});
  }
  return steps;
}

}  // namespace muster

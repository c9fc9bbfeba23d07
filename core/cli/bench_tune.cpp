#include "core/cli/bench_tune.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <system_error>
#include <variant>

#include "config/toml_node.hpp"
#include "core/base/scratch_directory.hpp"
#include "core/base/units.hpp"
#include "core/cli/bench_peers.hpp"
#include "core/cli/bench_turn.hpp"

namespace muster::cli {
namespace {

namespace fs = std::filesystem;
using Options = std::map<std::string, std::string>;  // as the configuration has them

constexpr const char* kShipped = "shipped";
// What runs of the same thing differ by on a busy machine: less is no reason to change a value.
constexpr double kClearlyBetter = 0.97;

Status wrong(const std::string& name, const TomlNode& at, std::string_view cause) {
  return {MUSTER_INVALID_ARGUMENT, fmt::format("{}:{}: {}", name, at.at.line, cause),
          "a limit is: option, candidates, sizes (texts like \"32KiB\"), operations, per_group, "
          "ranks_from, ranks_to"};
}

const std::vector<std::string>* texts_of(const TomlNode& node) {
  const auto* const texts = std::get_if<std::vector<std::string>>(&node.value);
  return texts == nullptr || texts->empty() ? nullptr : texts;
}

Result<std::vector<uint64_t>> sizes_of(const std::string& name, const TomlNode& node) {
  const std::vector<std::string>* const texts = texts_of(node);
  if (texts == nullptr) return wrong(name, node, "texts are expected");
  std::vector<uint64_t> sizes;
  for (const std::string& text : *texts) {
    Result<uint64_t> bytes = parse_bytes(text);
    if (!bytes.ok()) return wrong(name, node, fmt::format("'{}' is not a size", text));
    sizes.push_back(*bytes);
  }
  return sizes;
}

// "512KiB", several as "512KiB:2MiB", or "shipped": the option is left alone.
Result<std::vector<std::vector<uint64_t>>> candidates_of(const std::string& name,
                                                         const TomlNode& node) {
  const std::vector<std::string>* const texts = texts_of(node);
  if (texts == nullptr) return wrong(name, node, "texts are expected");
  std::vector<std::vector<uint64_t>> candidates;
  for (const std::string& text : *texts) {
    std::vector<uint64_t>& candidate = candidates.emplace_back();
    if (text == kShipped) continue;
    std::istringstream parts(text);
    for (std::string part; std::getline(parts, part, ':');) {
      Result<uint64_t> bytes = parse_bytes(part);
      if (!bytes.ok()) return wrong(name, node, fmt::format("'{}' is not a size", text));
      candidate.push_back(*bytes);
    }
  }
  return candidates;
}

Result<TunedLimit> limit_of(const std::string& name, const TomlNode& table) {
  TunedLimit limit;
  for (const TomlNode& node : table.children) {
    if (node.name == "option") {
      const auto* const text = std::get_if<std::string>(&node.value);
      if (text == nullptr) return wrong(name, node, "option is a text");
      limit.option = *text;
    } else if (node.name == "per_group") {
      const auto* const flag = std::get_if<bool>(&node.value);
      if (flag == nullptr) return wrong(name, node, "per_group is true or false");
      limit.per_group = *flag;
    } else if (node.name == "operations") {
      const auto* const texts = std::get_if<std::vector<std::string>>(&node.value);
      if (texts == nullptr) return wrong(name, node, "operations are texts");
      limit.operations = *texts;
    } else if (node.name == "candidates") {
      auto candidates = candidates_of(name, node);
      if (!candidates.ok()) return candidates.take_status();
      limit.candidates = std::move(*candidates);
    } else if (node.name == "sizes") {
      Result<std::vector<uint64_t>> sizes = sizes_of(name, node);
      if (!sizes.ok()) return sizes.take_status();
      limit.sizes = std::move(*sizes);
    } else if (node.name == "ranks_from" || node.name == "ranks_to") {
      const auto* const number = std::get_if<int64_t>(&node.value);
      if (number == nullptr || *number < 1)
        return wrong(name, node, "a number of ranks is expected");
      (node.name == "ranks_to" ? limit.ranks_to : limit.ranks_from) =
          static_cast<uint64_t>(*number);
    } else {
      return wrong(name, node, fmt::format("unknown key '{}'", node.name));
    }
  }
  if (limit.option.empty() || limit.candidates.empty() || limit.sizes.empty() ||
      limit.operations.empty()) {
    return wrong(name, table, "a limit lacks a part");
  }
  for (const std::vector<uint64_t>& candidate : limit.candidates) {
    if (candidate.size() > 1 && !limit.per_group)
      return wrong(name, table, "only a limit per group has candidates of several sizes");
  }
  return limit;
}

// A section with options: "backend.shm", or of a group of that name.
std::string section_of(const std::string& name, const Options& options) {
  std::string text = fmt::format("[{}]\noptions = {{", name);
  for (const auto& [option, value] : options) {
    text += fmt::format("{} {} = \"{}\"", text.back() == '{' ? "" : ",", option, value);
  }
  return text + " }\n";
}

std::string shown(const std::vector<uint64_t>& candidate) {
  if (candidate.empty()) return kShipped;
  std::vector<std::string> texts;
  for (const uint64_t bytes : candidate) texts.push_back(format_bytes(bytes));
  return fmt::format("{}", fmt::join(texts, ":"));
}

// Sets the option to a candidate.
void set_to(const std::vector<uint64_t>& candidate, const TunedLimit& limit,
            const BenchOptions& asked, Options& options) {
  if (candidate.empty()) return;
  options[limit.option] =
      limit.per_group
          ? fmt::format("{}/{}={}", asked.op_name, asked.ranks.ranks, fmt::join(candidate, ":"))
          : format_bytes(candidate.front());
}

bool concerns(const TunedLimit& limit, const BenchOptions& options) {
  const auto& names = limit.operations;
  return options.ranks.ranks >= limit.ranks_from && options.ranks.ranks <= limit.ranks_to &&
         std::find(names.begin(), names.end(), options.op_name) != names.end();
}

bool write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text;
  file.close();
  return !file.fail();
}

// One group per candidate, as --variants numbers them.
std::string config_of_candidates(const TunedLimit& limit, const std::string& backend,
                                 const Options& chosen, const BenchOptions& options) {
  std::string text;
  for (size_t c = 0; c < limit.candidates.size(); ++c) {
    Options tried = chosen;
    set_to(limit.candidates[c], limit, options, tried);
    const std::string group = group_name_for(backend, static_cast<uint32_t>(c) + 1);
    text += section_of(fmt::format("group.\"{}\".backend.{}", group, backend), tried);
  }
  return text;
}

// To stderr: a run takes long, and nothing else shows that it goes on.
void tell_progress(const TunedLimit& limit, uint32_t run, uint32_t runs) {
  std::fputs(fmt::format("muster: {}: run {} of {}, {} candidates at {} sizes up to {}\n",
                         limit.option, run, runs, limit.candidates.size(), limit.sizes.size(),
                         format_bytes(*std::max_element(limit.sizes.begin(), limit.sizes.end())))
                 .c_str(),
             stderr);
}

// Microseconds per candidate and size: medians of repeats.
using Table = std::vector<std::vector<double>>;

// Each run has all candidates, one after the other at every size: starting the ranks takes longer
// than measuring, on devices by far.
Result<Table> try_candidates(const BenchOptions& asked, const TunedLimit& limit,
                             const std::string& backend, const Options& chosen) {
  std::vector<std::vector<std::vector<double>>> seen(
      limit.candidates.size(), std::vector<std::vector<double>>(limit.sizes.size()));
  const ScratchDirectory scratch("tune");
  MUSTER_TRY(scratch.status());
  const std::string file = scratch.path() + "/candidates.toml";  // for the ranks
  if (!write_file(file, config_of_candidates(limit, backend, chosen, asked))) {
    return Status(MUSTER_PERMISSION_DENIED, fmt::format("cannot write {}", file),
                  "set TMPDIR to a directory that you may write to");
  }
  BenchOptions options = asked;
  options.sizes = limit.sizes;
  options.variants = static_cast<uint32_t>(limit.candidates.size());
  options.ranks.config_file = file;
  const Contender contender = own_contender(options, backend);
  for (uint32_t repeat = 0; repeat < options.repeats; ++repeat) {
    tell_progress(limit, repeat + 1, options.repeats);
    std::string left_out;
    Result<std::vector<BenchRow>> rows = take_turn(options, contender, nullptr, &left_out);
    if (!rows.ok()) return rows.status().within(limit.option);
    if (!left_out.empty()) return Status(MUSTER_UNAVAILABLE, left_out);
    for (size_t i = 0; i < rows->size(); ++i) {
      const size_t size = i / limit.candidates.size();
      seen[i % limit.candidates.size()][size].push_back((*rows)[i].median);
    }
  }
  Table medians;
  for (auto& candidate : seen) {
    std::vector<double>& row = medians.emplace_back();
    for (std::vector<double>& us : candidate) row.push_back(median_of(us));
  }
  return medians;
}

// Geometric mean over the sizes, so that small ones count as much as large ones.
double score(const std::vector<double>& us) {
  double sum = 0;
  for (const double one : us) sum += std::log(std::max(one, 0.001));
  return std::exp(sum / static_cast<double>(us.size()));
}

size_t best_of(const Table& table) {
  size_t best = 0;
  for (size_t c = 1; c < table.size(); ++c) {
    const double bar = best == 0 ? kClearlyBetter * score(table[0]) : score(table[best]);
    if (score(table[c]) < bar) best = c;
  }
  return best;
}

void print_tried(const TunedLimit& limit, const Table& table, size_t best) {
  std::string header = fmt::format("# {:>16}", limit.option);
  for (const uint64_t bytes : limit.sizes) header += fmt::format(" {:>9}", format_bytes(bytes));
  std::puts((header + fmt::format(" {:>9}", "mean")).c_str());
  for (size_t c = 0; c < table.size(); ++c) {
    std::string line = fmt::format("  {:>16}", shown(limit.candidates[c]));
    for (const double us : table[c]) line += fmt::format(" {:>9.2f}", us);
    line += fmt::format(" {:>9.2f}{}", score(table[c]), c == best ? "  <- chosen" : "");
    std::puts(line.c_str());
  }
  std::fflush(stdout);
}

Result<std::vector<TunedLimit>> load_limits(const std::string& backend) {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  const fs::path path = self.parent_path().parent_path() / "share" / "muster" / "tuning" /
                        fmt::format("{}.toml", backend);
  std::ifstream file(path);
  if (!file) {
    return Status(
        MUSTER_NOT_FOUND,
        fmt::format("backend {} has nothing to tune: there is no {}", backend, path.string()),
        "tests/bench/README.md says what such a file holds");
  }
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return parse_limits(text, path.string());
}

}  // namespace

Result<std::vector<TunedLimit>> parse_limits(const std::string& text, const std::string& name) {
  Result<TomlNode> root = parse_toml(text, name);
  if (!root.ok()) return root.take_status();
  std::vector<TunedLimit> limits;
  for (const TomlNode& node : root->children) {
    if (node.name != "limit" || node.kind != TomlNode::Kind::kArray) {
      return wrong(name, node, fmt::format("unknown key '{}'", node.name));
    }
    for (const TomlNode& table : node.children) {
      Result<TunedLimit> limit = limit_of(name, table);
      if (!limit.ok()) return limit.take_status();
      limits.push_back(std::move(*limit));
    }
  }
  return limits;
}

int tune(const BenchOptions& options) {
  const std::string backend =
      options.ranks.backends.empty() ? "shm" : options.ranks.backends.front();
  Result<std::vector<TunedLimit>> limits = load_limits(backend);
  if (!limits.ok()) return fail(limits.status());
  std::puts(fmt::format("# {} of {} with {} ranks: microseconds, medians of {} runs",
                        options.op_name, backend, options.ranks.ranks, options.repeats)
                .c_str());
  Options chosen;
  size_t tuned = 0;
  for (const TunedLimit& limit : *limits) {
    if (!concerns(limit, options)) continue;
    Result<Table> table = try_candidates(options, limit, backend, chosen);
    if (!table.ok()) return fail(table.status());
    const size_t best = best_of(*table);
    print_tried(limit, *table, best);
    set_to(limit.candidates[best], limit, options, chosen);
    ++tuned;
  }
  if (tuned == 0) {
    return fail(Status(MUSTER_NOT_FOUND,
                       fmt::format("no option of {} is tuned by {}", backend, options.op_name),
                       "all_reduce tunes most of them"));
  }
  const std::string device =
      options.ranks.device.empty() ? "" : fmt::format(" --device {}", options.ranks.device);
  const std::string text = fmt::format(
      "# Tuned by: muster bench {} --ranks {}{} --tune\n# Read by --config, MUSTER_CONFIG, "
      "or as part of muster.toml; the same on all ranks.\n{}",
      options.op_name, options.ranks.ranks, device, section_of("backend." + backend, chosen));
  if (!write_file(options.tune, text)) {
    return fail(Status(MUSTER_PERMISSION_DENIED, fmt::format("cannot write {}", options.tune),
                       "name a file in a directory that you may write to"));
  }
  std::puts(fmt::format("# written to {}", options.tune).c_str());
  return kOk;
}

}  // namespace muster::cli

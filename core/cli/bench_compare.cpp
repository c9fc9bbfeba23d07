#include "core/cli/bench_compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/json_text.hpp"
#include "core/cli/bench_peers.hpp"
#include "core/cli/bench_plot.hpp"
#include "core/cli/bench_turn.hpp"

namespace muster::cli {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// What one contender has shown.
struct Series {
  Contender contender;
  std::string label;                        // with the version, once it has run
  std::vector<std::vector<BenchRow>> runs;  // of every repeat, a row per size
  std::string left_out;                     // why there is nothing to see: it has no such operation
  Status failed;

  bool serves() const { return left_out.empty() && failed.ok(); }
  double median(size_t size) const {
    std::vector<double> us;
    for (const auto& rows : runs) us.push_back(rows[size].median);
    return us.empty() || !serves() ? kNone : median_of(us);
  }
  double floor(size_t size) const {
    std::vector<double> us;
    for (const auto& rows : runs) us.push_back(rows[size].floor);
    return us.empty() || !serves() ? kNone : median_of(us);
  }
  // Of all rows.
  double floor() const {
    std::vector<double> us;
    for (const auto& rows : runs) {
      for (const BenchRow& row : rows) us.push_back(row.floor);
    }
    return median_of(us);
  }
};

// One repeat; what is wrong with it is kept in the series.
void run_once(const BenchOptions& options, Series& series, const std::vector<BenchRow>* first) {
  Result<std::vector<BenchRow>> rows =
      take_turn(options, series.contender, first, &series.left_out);
  if (!rows.ok()) {
    series.failed = rows.take_status();
  } else if (series.left_out.empty()) {
    series.label = rows->front().backend;
    series.runs.push_back(std::move(*rows));
  }
}

std::string number(double value, const char* none, int digits) {
  return std::isnan(value) ? none : fmt::format("{:.{}f}", value, digits);
}

// The system moves cores, too: a virtual machine's are nearer to each other in some minutes.
bool floors_differ(const std::vector<Series>& all, size_t size) {
  double least = std::numeric_limits<double>::max();
  double most = 0;
  for (const Series& series : all) {
    if (!series.serves()) continue;
    least = std::min(least, series.floor(size));
    most = std::max(most, series.floor(size));
  }
  return most > 2 * least;
}

void print_table(const BenchOptions& options, const std::vector<Series>& all) {
  std::puts(
      fmt::format("# muster {} | {} ranks | {} {} {}{} | {} loop | medians of {} runs in turns",
                  MUSTER_VERSION, options.ranks.ranks, options.op_name, options.dtype_name,
                  options.redop_name, options.in_place ? " in place" : "", options.loop_name,
                  options.repeats)
          .c_str());
  std::string floors;
  for (const Series& series : all) {
    if (!series.left_out.empty()) std::puts(fmt::format("# {}", series.left_out).c_str());
    if (!series.serves()) continue;
    floors += fmt::format("{} {} ({}) {:.2f}", floors.empty() ? "" : ",", series.contender.name,
                          series.label, series.floor());
  }
  std::puts(fmt::format("# floor (us):{}", floors).c_str());
  std::vector<bool> differ(options.sizes.size());
  for (size_t size = 0; size < options.sizes.size(); ++size) {
    differ[size] = floors_differ(all, size);
  }
  if (std::find(differ.begin(), differ.end(), true) != differ.end()) {
    std::puts("# *: in some runs the cores were farther apart (floors differ); trust it less");
  }
  std::string names = fmt::format("#{:>11}", "size (B)");
  std::string units = fmt::format("#{:>11}", "");
  for (size_t i = 0; i < all.size(); ++i) {
    names += fmt::format(" {:>13} {:>6}", all[i].contender.name, "floor");
    units += fmt::format(" {:>13} {:>6}", "(us)", "(us)");
    if (i == 0) continue;
    names += fmt::format(" {:>7}", "ratio");
    units += fmt::format(" {:>7}", "");
  }
  std::puts(names.c_str());
  std::puts(units.c_str());
  for (size_t size = 0; size < options.sizes.size(); ++size) {
    std::string line = fmt::format("{:>12}", options.sizes[size]);
    const double ours = all.front().median(size);
    for (size_t i = 0; i < all.size(); ++i) {
      const double us = all[i].median(size);
      line += fmt::format(" {:>13} {:>6}", number(us, "-", 2), number(all[i].floor(size), "-", 2));
      if (i != 0) line += fmt::format(" {:>7}", number(us / ours, "-", 2));
    }
    if (differ[size]) line += " *";
    std::puts(line.c_str());
  }
}

// "muster shm" as a column's name.
std::string column(const Series& series) {
  std::string name = series.contender.name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

void print_csv(const BenchOptions& options, const std::vector<Series>& all) {
  std::string header = "op,dtype,redop,ranks,bytes";
  for (const Series& series : all) header += fmt::format(",{}_us", column(series));
  for (size_t i = 1; i < all.size(); ++i) header += fmt::format(",{}_ratio", column(all[i]));
  std::puts(header.c_str());
  for (size_t size = 0; size < options.sizes.size(); ++size) {
    std::string line = fmt::format("{},{},{},{},{}", options.op_name, options.dtype_name,
                                   options.redop_name, options.ranks.ranks, options.sizes[size]);
    const double ours = all.front().median(size);
    for (const Series& series : all) line += "," + number(series.median(size), "", 3);
    for (size_t i = 1; i < all.size(); ++i) line += "," + number(all[i].median(size) / ours, "", 3);
    std::puts(line.c_str());
  }
}

void print_json(const BenchOptions& options, const std::vector<Series>& all) {
  nlohmann::ordered_json json = {{"schema", "muster.compare/1"},
                                 {"version", MUSTER_VERSION},
                                 {"op", options.op_name},
                                 {"dtype", options.dtype_name},
                                 {"redop", options.redop_name},
                                 {"ranks", options.ranks.ranks},
                                 {"loop", options.loop_name},
                                 {"place", options.in_place ? "in" : "out"},
                                 {"repeats", options.repeats},
                                 {"contenders", nlohmann::ordered_json::array()},
                                 {"rows", nlohmann::ordered_json::array()}};
  for (const Series& series : all) {
    nlohmann::ordered_json one = {{"name", series.contender.name},
                                  {"backend", series.label},
                                  {"command", series.contender.command},
                                  {"floor_us", series.floor()}};
    if (!series.left_out.empty()) one["left_out"] = series.left_out;
    json["contenders"].push_back(std::move(one));
  }
  for (size_t size = 0; size < options.sizes.size(); ++size) {
    nlohmann::ordered_json row = {{"bytes", options.sizes[size]}};
    const double ours = all.front().median(size);
    for (const Series& series : all) {
      const double us = series.median(size);
      if (std::isnan(us)) continue;
      row["us"][series.contender.name] = us;
      row["floor_us"][series.contender.name] = series.floor(size);
      if (&series != &all.front()) row["ratio"][series.contender.name] = us / ours;
    }
    json["rows"].push_back(std::move(row));
  }
  std::puts(json_text(json, 2).c_str());
}

std::vector<PlotLine> lines_of(const BenchOptions& options, const std::vector<Series>& all) {
  std::vector<PlotLine> lines;
  for (const Series& series : all) {
    if (!series.serves()) continue;
    PlotLine& line = lines.emplace_back();
    const bool ours = series.contender.name.starts_with("muster");
    line.label = ours ? "muster " + series.label : series.label;
    for (size_t size = 0; size < options.sizes.size(); ++size) {
      const double us = series.median(size);
      const double gbs = static_cast<double>(options.sizes[size]) / us / 1000;
      line.points.push_back(
          {options.sizes[size], us, gbs * bus_factor(options.op_name, options.ranks.ranks)});
    }
  }
  return lines;
}

int print_commands(const std::vector<Contender>& all, bool as_json) {
  nlohmann::ordered_json json = {{"schema", "muster.launches/1"}, {"commands", {}}};
  for (const Contender& contender : all) {
    std::vector<std::string> command = contender.command;
    if (contender.needs_store) command.insert(command.end(), {"--store", "<directory>"});
    if (!as_json) std::puts(fmt::format("{}", fmt::join(command, " ")).c_str());
    json["commands"].push_back(std::move(command));
  }
  if (as_json) std::puts(json_text(json, 2).c_str());
  return kOk;
}

}  // namespace

int compare(const BenchOptions& options) {
  Result<std::vector<Contender>> asked = contenders(options);
  if (!asked.ok()) return fail(asked.status());
  if (options.ranks.dry_run) return print_commands(*asked, options.json);
  std::vector<Series> all;
  for (Contender& contender : *asked) {
    Series& series = all.emplace_back();
    series.contender = std::move(contender);
  }
  for (uint32_t repeat = 0; repeat < options.repeats; ++repeat) {
    for (Series& series : all) {
      // Peers show the sizes that muster has shown.
      const auto& ours = all.front().runs;
      if (series.serves()) run_once(options, series, ours.empty() ? nullptr : &ours.front());
      if (!all.front().failed.ok()) return fail(all.front().failed);
    }
  }
  if (options.json) {
    print_json(options, all);
  } else if (options.csv) {
    print_csv(options, all);
  } else {
    print_table(options, all);
  }
  if (!options.plot.empty()) {
    if (Status drawn = draw_plot(options.plot, plot_title(options), lines_of(options, all));
        !drawn.ok()) {
      return fail(drawn);
    }
  }
  int code = kOk;
  for (const Series& series : all) {
    if (!series.failed.ok()) code = fail(series.failed);
  }
  return code;
}

}  // namespace muster::cli

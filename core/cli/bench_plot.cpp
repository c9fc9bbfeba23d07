#include "core/cli/bench_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iterator>

#include "core/base/units.hpp"
#include "core/cli/captured_run.hpp"

namespace muster::cli {
namespace {

constexpr std::chrono::seconds kLimit{60};

// A text in single quotes, where gnuplot reads nothing but the quote itself.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\'';
    if (c != '\n') out += c;
  }
  return out + "'";
}

// Marks at the sizes that were measured, at most ten of them.
std::string size_marks(const std::vector<PlotLine>& lines) {
  std::vector<uint64_t> sizes;
  for (const PlotLine& line : lines) {
    for (const PlotPoint& point : line.points) sizes.push_back(point.bytes);
  }
  std::sort(sizes.begin(), sizes.end());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  const size_t step = (sizes.size() + 9) / 10;
  std::string marks;
  for (size_t i = 0; i < sizes.size(); i += step) {
    marks += fmt::format("{}'{}' {}", marks.empty() ? "" : ", ", format_bytes(sizes[i]), sizes[i]);
  }
  return marks;
}

std::string curves(const std::vector<PlotLine>& lines, int column) {
  std::string text = "plot ";
  for (size_t i = 0; i < lines.size(); ++i) {
    text += fmt::format("{}$line{} using 1:{} with linespoints linestyle {} title {}",
                        i == 0 ? "" : ", ", i, column, i + 1, quoted(lines[i].label));
  }
  return text + "\n";
}

}  // namespace

std::string plot_script(const std::string& file, const std::string& title,
                        const std::vector<PlotLine>& all) {
  std::vector<PlotLine> lines;
  for (const PlotLine& line : all) {
    if (!line.points.empty()) lines.push_back(line);
  }
  std::string script;
  for (size_t i = 0; i < lines.size(); ++i) {
    script += fmt::format("$line{} << END\n", i);
    for (const PlotPoint& point : lines[i].points) {
      script += fmt::format("{} {} {}\n", point.bytes, point.us, point.gbs);
    }
    script += "END\n";
  }
  // Colours that people who see few of them can tell apart (Okabe and Ito).
  static constexpr const char* kColours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                             "#E69F00", "#56B4E9", "#000000"};
  for (size_t i = 0; i < lines.size(); ++i) {
    script += fmt::format("set style line {} lw 2 ps 0.7 pt {} lc rgb '{}'\n", i + 1,
                          7 + 2 * (i % 4), kColours[i % std::size(kColours)]);
  }
  script += fmt::format(
      "set terminal svg size 1200,520 font 'sans-serif,13' background '#ffffff'\n"
      "set output {}\n"
      "set multiplot layout 1,2 title {} noenhanced\n"
      "set key noenhanced\n"
      "set logscale xy\n"
      "set grid lc rgb '#dddddd'\n"
      "set border 3\n"
      "set tics nomirror\n"
      "set offsets graph 0.02, graph 0.02, 0, 0\n"
      "set xtics ({})\n"
      "set xlabel 'size'\n",
      quoted(file), quoted(title), size_marks(lines));
  script += "set format y '%g'\nset ylabel 'time (us)'\nset key top left\n" + curves(lines, 2);
  script += "set ylabel 'bus bandwidth (GB/s)'\nset key bottom right\n" + curves(lines, 3);
  return script + "unset multiplot\n";
}

Status check_gnuplot() {
  Result<CapturedRun> run = run_captured({"gnuplot", "--version"}, {}, kLimit);
  if (run.ok() && run->exit_code == 0) return Status();
  return {MUSTER_NOT_FOUND, "--plot needs gnuplot, which cannot be run",
          "install it (Debian: gnuplot-nox)"};
}

Status draw_plot(const std::string& file, const std::string& title,
                 const std::vector<PlotLine>& lines) {
  const std::string path = std::filesystem::absolute(file).string();
  Result<CapturedRun> run = run_captured({"gnuplot", "-"}, plot_script(path, title, lines), kLimit);
  if (!run.ok()) return run.take_status();
  if (run->exit_code == 0) return Status();
  return {MUSTER_INTERNAL, fmt::format("gnuplot did not draw {}: {}", path, run->err),
          "can that file be written?"};
}

}  // namespace muster::cli

// `muster bench --plot`: time and bandwidth over size, a line for each backend and peer, drawn by
// gnuplot into an SVG file.
#ifndef MUSTER_CORE_CLI_BENCH_PLOT_HPP
#define MUSTER_CORE_CLI_BENCH_PLOT_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/status.hpp"

namespace muster::cli {

struct PlotPoint {
  uint64_t bytes = 0;
  double us = 0;
  double gbs = 0;  // bus bandwidth
};

struct PlotLine {
  std::string label;
  std::vector<PlotPoint> points;
};

// What gnuplot is told. Lines without points are left out.
std::string plot_script(const std::string& file, const std::string& title,
                        const std::vector<PlotLine>& lines);
// NOT_FOUND, naming the package, where there is no gnuplot; told before anything is measured.
Status check_gnuplot();
Status draw_plot(const std::string& file, const std::string& title,
                 const std::vector<PlotLine>& lines);

}  // namespace muster::cli

#endif

// What `muster bench` was asked for.
#ifndef MUSTER_CORE_CLI_BENCH_OPTIONS_HPP
#define MUSTER_CORE_CLI_BENCH_OPTIONS_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "core/cli/command.hpp"
#include "core/cli/ranks.hpp"
#include "core/cli/timed_loop.hpp"
#include "muster/types.h"

namespace muster::cli {

struct BenchOptions {
  RankOptions ranks;
  std::string op_name;
  std::string dtype_name = "f32";
  std::string redop_name = "sum";
  std::string from = "8";
  std::string to = "1M";
  uint64_t factor = 8;
  std::vector<std::string> size_list;  // instead of from, to and factor
  LoopOptions loop;
  std::string loop_name = "synchronised";
  std::string bind = "core";
  std::string memory = "ordinary";
  bool in_place = false;
  bool graph = false;              // on a device: calls recorded once and launched again and again
  uint32_t depth = 50;             // on a device: calls in a row of which one is timed
  uint32_t buffers = 4;            // on a device: sets of buffers in rotation
  std::vector<std::string> peers;  // measured in turns with muster; empty: none
  uint32_t repeats = 3;            // of each, when there are peers
  std::string peers_directory;
  uint32_t variants = 0;  // groups of each backend that the configuration tells apart
  std::string tune;       // a file to write tuned options into; "": none
  std::string plot;       // a file to draw into; "": none
  bool json = false;
  bool csv = false;

  // From the names above.
  muster_op op = MUSTER_OP_NONE;
  muster_dtype dtype = MUSTER_DTYPE_NONE;
  muster_redop redop = MUSTER_REDOP_NONE;
  std::vector<uint64_t> sizes;
};

void add_bench_options(CLI::App& verb, BenchOptions& options);

// "all_reduce f32 sum, 2 ranks"
std::string plot_title(const BenchOptions& options);

// Fills in what the names mean. kUsage, with a message on stderr that lists what can be measured,
// when a name means nothing.
int understand(BenchOptions& options);

}  // namespace muster::cli

#endif

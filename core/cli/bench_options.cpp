#include "core/cli/bench_options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "core/base/names.hpp"
#include "core/base/units.hpp"
#include "core/cli/bench_peers.hpp"
#include "core/cli/placement.hpp"

namespace muster::cli {
namespace {

// One half of a point-to-point call, and the fused call whose result is rounded, are not measured.
bool can_measure(muster_op op) {
  return op != MUSTER_SEND && op != MUSTER_RECV && op != MUSTER_FUSED_ALL_REDUCE_RMSNORM;
}

std::string measured_ops() {
  std::vector<const char*> names;
  for (muster_op op = MUSTER_OP_NONE + 1; op < MUSTER_OP_END; ++op) {
    if (can_measure(op)) names.push_back(op_name(op));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

int usage(const std::string& cause, const std::string& remedy) {
  std::fputs(fmt::format("muster: {}\n        {}\n", cause, remedy).c_str(), stderr);
  return kUsage;
}

int wrong_name(const char* what, const std::string& name, const std::string& known) {
  return usage(fmt::format("{} '{}' cannot be measured", what, name),
               fmt::format("use one of {}", known));
}

int understand_sizes(BenchOptions& options) {
  for (const std::string& text : options.size_list) {
    const Result<uint64_t> bytes = parse_bytes(text);
    if (!bytes.ok() || *bytes == 0) {
      return usage(fmt::format("'{}' is not a size", text), "for example --sizes 8,64K,1M");
    }
    options.sizes.push_back(*bytes);
  }
  if (options.sizes.empty()) {
    const Result<uint64_t> from = parse_bytes(options.from);
    const Result<uint64_t> to = parse_bytes(options.to);
    if (!from.ok() || !to.ok() || *from == 0 || *from > *to) {
      return usage(fmt::format("sizes from '{}' to '{}' make no range", options.from, options.to),
                   "for example --from 8 --to 64M, or --sizes 8,64K,1M");
    }
    for (uint64_t bytes = *from;; bytes *= options.factor) {
      options.sizes.push_back(bytes);
      if (bytes > *to / options.factor) break;
    }
  }
  if (options.op == MUSTER_BARRIER) options.sizes.resize(1);
  return kOk;
}

}  // namespace

void add_bench_options(CLI::App& verb, BenchOptions& options) {
  verb.add_option("operation", options.op_name, "all_reduce, all_gather, ...")->required();
  add_rank_options(verb, options.ranks);
  verb.add_option("-b,--from", options.from, "Smallest size in bytes")->capture_default_str();
  verb.add_option("-e,--to", options.to, "Largest size in bytes")->capture_default_str();
  verb.add_option("-f,--factor", options.factor, "Factor between sizes")
      ->check(CLI::Range(2, 1024))
      ->capture_default_str();
  verb.add_option("--sizes", options.size_list, "These sizes instead: 8,64,1K,8K,64K,1M")
      ->delimiter(',');
  verb.add_option("-d,--dtype", options.dtype_name, "Element type")->capture_default_str();
  verb.add_option("-o,--redop", options.redop_name, "Reduce operation")->capture_default_str();
  verb.add_option("-i,--iterations", options.loop.iterations,
                  "Timed iterations per size (default: as many as fit in --seconds)")
      ->check(CLI::Range(1, 1000000));
  verb.add_option("-w,--warmup", options.loop.warmup,
                  "Iterations before that (default: a tenth of that time)")
      ->check(CLI::Range(1, 1000000));
  verb.add_option("--seconds", options.loop.seconds,
                  fmt::format("Time for each size, within {} to {} iterations",
                              LoopOptions::kFewest, LoopOptions::kMost))
      ->check(CLI::Range(0.001, 3600.0))
      ->capture_default_str();
  verb.add_option("--loop", options.loop_name,
                  "synchronised: ranks meet before each call; back-to-back: only now and then")
      ->check(CLI::IsMember({"synchronised", "back-to-back"}))
      ->capture_default_str();
  verb.add_option(
          "--bind", options.bind,
          "core: a core for each rank, where there are enough; none: leave it to the system")
      ->check(CLI::IsMember({"core", "none"}))
      ->capture_default_str();
  verb.add_option("--memory", options.memory,
                  "ordinary: the program's own; alloc: of muster_mem_alloc, where backends may "
                  "leave out copies")
      ->check(CLI::IsMember({"ordinary", "alloc"}))
      ->capture_default_str();
  verb.add_flag("--in-place", options.in_place, "The result replaces the input, as in NCCL");
  verb.add_option("--device", options.ranks.device,
                  "Measure in this kind of device memory, for example cuda; needs its plugin");
  verb.add_option("--devices", options.ranks.devices,
                  "Devices of a node, used in turn by its ranks (default: one for each rank)")
      ->check(CLI::Range(1, 1024));
  verb.add_flag("--graph", options.graph,
                "On a device: record the calls once, launch them again and again");
  verb.add_option("--depth", options.depth, "On a device: calls in a row of which one is timed")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  verb.add_option("--buffers", options.buffers, "On a device: sets of buffers in rotation")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  verb.add_option("--compare", options.peers,
                  fmt::format("Measure these peers in turns with muster: {}", known_peers()))
      ->delimiter(',');
  verb.add_option("--repeats", options.repeats,
                  "Runs of each with --compare, of all candidates with --tune")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  verb.add_option("--peers-dir", options.peers_directory,
                  "Where the peers' programs are (default: libexec/muster/peers beside bin)");
  verb.add_option("--tune", options.tune,
                  "Try values of the backend's options and write the best into this TOML file");
  verb.add_option("--variants", options.variants, "How --tune starts the ranks")
      ->check(CLI::Range(1, 64))
      ->group("");
  verb.add_option("--plot", options.plot,
                  "Draw time and bandwidth over size into this SVG file (needs gnuplot)");
  verb.add_flag("--json", options.json, "Print JSON (muster.bench/1)");
  verb.add_flag("--csv", options.csv, "Print comma-separated values");
}

std::string plot_title(const BenchOptions& options) {
  return fmt::format("{} {}{}{}, {} ranks, {}", options.op_name, options.dtype_name,
                     op_reduces(options.op) ? " " + options.redop_name : "",
                     options.in_place ? " in place" : "", options.ranks.ranks, options.loop_name);
}

int understand(BenchOptions& options) {
  const auto op = op_from_name(options.op_name);
  const auto dtype = dtype_from_name(options.dtype_name);
  const auto redop = redop_from_name(options.redop_name);
  if (!op || !can_measure(*op)) return wrong_name("operation", options.op_name, measured_ops());
  if (!dtype) return wrong_name("dtype", options.dtype_name, all_dtype_names());
  if (!redop) return wrong_name("reduce operation", options.redop_name, all_redop_names());
  options.op = *op;
  options.dtype = *dtype;
  options.redop = *redop;
  if (!options.plot.empty() && *op == MUSTER_BARRIER) {
    return usage("a barrier has one size: there is nothing to plot", "leave --plot out");
  }
  if (!options.tune.empty() && (!options.peers.empty() || options.ranks.backends.size() > 1 ||
                                !options.ranks.config_file.empty() || !options.plot.empty())) {
    return usage("--tune goes with one --backend, and without --compare, --config and --plot",
                 "a configuration to start from is read from MUSTER_CONFIG");
  }
  const std::string& device = options.ranks.device;
  if (!device.empty()) {
    const auto kind = memory_from_name(device);
    if (!kind || *kind == MUSTER_HOST) {
      return usage(fmt::format("'{}' is no kind of device memory", device),
                   "name a kind that a plugin knows, for example cuda; muster list shows them");
    }
    if (*op == MUSTER_BARRIER || options.loop_name != "synchronised" || !options.peers.empty()) {
      return usage("--device goes without barrier, --loop and --compare",
                   "name several backends with --backend to see them side by side");
    }
    if (!options.tune.empty() && options.ranks.backends.empty()) {
      return usage("--tune of a device needs the backend that is tuned",
                   "name one with --backend, for example cuda_peer");
    }
  } else if (options.graph || options.ranks.devices != 0) {
    return usage("--graph and --devices are about a device", "add --device, for example cuda");
  }
  if (options.in_place && !Placement::has_in_place_form(*op)) {
    return usage(fmt::format("{} has no in-place form", options.op_name), "leave --in-place out");
  }
  for (const std::string& peer : options.peers) {
    if (!is_known_peer(peer)) {
      return usage(fmt::format("'{}' is no peer that can be compared with", peer),
                   fmt::format("use one of {}", known_peers()));
    }
  }
  options.loop.back_to_back = options.loop_name == "back-to-back";
  return understand_sizes(options);
}

}  // namespace muster::cli

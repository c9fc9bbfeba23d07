// A workload: the collectives that one forward step of a published model makes, as data.
//
// A file names the model's dimensions with their source, the variables of a step (tokens, layout)
// with defaults, the roles (groups of ranks) with their sizes, and in order the calls, whose counts
// are expressions over all of those. load_workload reads and checks a file; evaluate turns it into
// concrete calls. Plain values, made and read by one thread at a time. The format is described in
// config/workloads/README.md.
#ifndef MUSTER_CORE_CLI_WORKLOAD_HPP
#define MUSTER_CORE_CLI_WORKLOAD_HPP

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.hpp"
#include "core/cli/expression.hpp"
#include "muster/types.h"

namespace muster {

struct WorkloadVariable {
  std::string name;
  Expression fallback;             // over the dimensions, `ranks` and the variables before it
  std::vector<Expression> one_of;  // what it may be; empty: anything
};

struct WorkloadRole {
  std::string name;
  Expression size;  // over the dimensions, `ranks` and the variables
};

struct WorkloadEntry {
  std::string name;
  muster_op op = MUSTER_OP_NONE;
  muster_dtype dtype = MUSTER_DTYPE_NONE;
  muster_redop redop = MUSTER_REDOP_NONE;
  std::string role;
  std::string when;    // made only if this role has more than one rank; "": always
  std::string unless;  // made only if this role has one rank; "": always
  Expression count;
  Expression repeat;
  uint32_t line = 0;
};

struct Workload {
  std::string name;  // "llama-3.1-8b"
  std::string title;
  std::string path;
  std::vector<std::string> sources;
  Expression::Values dimensions;
  std::vector<WorkloadVariable> variables;  // in the file's order
  std::vector<WorkloadRole> roles;
  std::vector<WorkloadEntry> entries;
};

// One call as it is made, `repeat` times.
struct Step {
  std::string name;
  muster_op op = MUSTER_OP_NONE;
  muster_dtype dtype = MUSTER_DTYPE_NONE;
  muster_redop redop = MUSTER_REDOP_NONE;
  uint64_t count = 0;  // as types.h defines it for op; of all_to_allv: per pair of ranks, balanced
  uint64_t repeat = 0;
  std::string role;
  uint64_t group_size = 0;
};

// ${prefix}/share/muster/workloads of the running executable ${prefix}/bin/...; the build tree has
// the same layout.
std::vector<std::string> workload_directories();
// The names of the workload files in the directories, sorted.
std::vector<std::string> list_workloads(const std::vector<std::string>& directories);
// A name is looked up as <directory>/<name>.toml, first found; what contains '/' or ends in ".toml"
// is a path.
Result<Workload> load_workload(std::string_view name_or_path,
                               const std::vector<std::string>& directories);

// `variables` must hold ranks and may override the file's variables. Calls whose group has one
// rank, or whose count or repeat is zero, are left out. Count times group size in bytes is known to
// fit 64 bits.
Result<std::vector<Step>> evaluate(const Workload& workload,
                                   const std::map<std::string, uint64_t>& variables);

}  // namespace muster

#endif

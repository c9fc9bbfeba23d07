// A workload: the collectives that one forward step of a published model makes, as data.
//
// A file names the model's dimensions with their source, the layouts that it can run in, the
// variables of a step with defaults, and in order the calls, each of a role of the layout, whose
// counts are expressions over all of those. load_workload reads and checks a file; evaluate turns
// it into concrete calls. Plain values, made and read by one thread at a time. The format is
// described in config/workloads/README.md.
#ifndef MUSTER_CORE_CLI_WORKLOAD_HPP
#define MUSTER_CORE_CLI_WORKLOAD_HPP

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.hpp"
#include "core/cli/expression.hpp"
#include "muster/parallel.h"
#include "muster/types.h"

namespace muster {

struct WorkloadVariable {
  std::string name;
  Expression fallback;             // over the dimensions, `ranks` and what stands before it
  std::vector<Expression> one_of;  // what it may be; empty: anything
};

// Token routing of mixtures of experts: an all_to_allv whose counts follow from it.
enum class Route { kNone, kDispatch, kCombine };

struct WorkloadEntry {
  std::string name;
  muster_op op = MUSTER_OP_NONE;
  muster_dtype dtype = MUSTER_DTYPE_NONE;
  muster_redop redop = MUSTER_REDOP_NONE;
  muster_role role = MUSTER_ROLE_NONE;
  muster_role when = MUSTER_ROLE_NONE;    // made only if this role has more than one rank
  muster_role unless = MUSTER_ROLE_NONE;  // made only if this role has one rank
  Route route = Route::kNone;
  Expression tokens;   // routed: of one rank
  Expression experts;  // routed: in all
  Expression choices;  // routed: experts that a token is sent to
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
  std::vector<WorkloadVariable> layout;     // sizes of muster_layout_sizes, in the file's order
  std::vector<WorkloadVariable> variables;  // in the file's order
  std::vector<WorkloadEntry> entries;
};

// One call as it is made, `repeat` times.
struct Step {
  std::string name;
  muster_op op = MUSTER_OP_NONE;
  muster_dtype dtype = MUSTER_DTYPE_NONE;
  muster_redop redop = MUSTER_REDOP_NONE;
  uint64_t count = 0;  // as types.h defines it for op; routed: elements of one token
  uint64_t repeat = 0;
  muster_role role = MUSTER_ROLE_NONE;
  uint32_t group_size = 0;
  Route route = Route::kNone;
  uint64_t tokens = 0;
  uint64_t experts = 0;
  uint64_t choices = 0;
};

// A workload made concrete.
struct WorkloadRun {
  muster_layout_sizes layout{};
  std::string layout_text;  // "tp=2,dp=1"
  std::vector<Step> steps;
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

// `given` must hold ranks and may override the file's layout and variables. Calls whose group has
// one rank, or whose count or repeat is zero, are left out. A call's bytes on all ranks of its
// group are known to fit 64 bits.
Result<WorkloadRun> evaluate(const Workload& workload,
                             const std::map<std::string, uint64_t>& given);

}  // namespace muster

#endif

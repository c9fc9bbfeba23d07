// How bench and replay become several ranks: they start themselves again, under muster's own
// launcher or under mpirun.
#ifndef MUSTER_CORE_CLI_RANKS_HPP
#define MUSTER_CORE_CLI_RANKS_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "core/cli/command.hpp"

namespace muster::cli {

struct RankOptions {
  uint32_t ranks = 2;
  std::vector<std::string> backends;  // served one after the other; empty: the chain decides
  bool dry_run = false;
  std::string fault;  // "RANK:OPERATION"
  std::string config_file;
  std::string device;    // the kind of memory to measure in; "": the host's
  uint32_t devices = 0;  // of a node, used in turn by its ranks; 0: one for each
};

void add_rank_options(CLI::App& verb, RankOptions& options);

// True in a process that a launcher started as one rank.
bool is_launched_rank();

// Runs this command line as options.ranks processes and returns the exit code; prints it only with
// dry_run, as text or JSON (muster.launch/1). Under mpirun when a named backend brings a bootstrap
// of its own, else under muster's launcher.
int start_ranks(const RankOptions& options, bool json, const Context& context);

// TOML for the ranks: per named backend a group "cli-<id>" that prefers it, and the fault.
std::string rank_config(const RankOptions& options);
// variant: from 1 on, of groups of one backend that the configuration tells apart; 0: the only one.
std::string group_name_for(const std::string& backend, uint32_t variant = 0);

}  // namespace muster::cli

#endif

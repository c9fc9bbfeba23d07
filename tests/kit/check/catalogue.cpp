#include "tests/kit/check/catalogue.hpp"

namespace muster::check {
namespace {

std::vector<Case> make() {
  // handshake.judged and handshake.unique_id are asked of the command itself (judge.hpp).
  std::vector<Case> cases = {
      {"handshake.loads",
       Where::kAlone,
       handshake_loads,
       "opens, with all symbols bound",
       {},
       true},
      {"handshake.symbols", Where::kAlone, handshake_symbols, "exports the entry and nothing else"},
      {"handshake.interfaces",
       Where::kAlone,
       handshake_interfaces,
       "gives the tables that it declares, whole",
       {},
       true},
      {"lifecycle.open_close",
       Where::kAlone,
       lifecycle_open_close,
       "instances of their own, statuses given back",
       {},
       true},
      {"lifecycle.null", Where::kAlone, lifecycle_null, "takes NULL where it must"},
      {"probe.budget", Where::kAlone, probe_budget, "probes in its time", {}, true},
      {"probe.facts", Where::kAlone, probe_facts, "gives canonical facts", {}, true},
      {"offers.pure", Where::kAlone, offers_pure, "offers the same to the same group", {}, true},
      {"offers.well_formed", Where::kAlone, offers_well_formed, "makes rules of known values"},
      {"silence.alone", Where::kAlone, silence_alone, "loads, probes and offers without output"},
      {"lifecycle.groups", Where::kRanks, lifecycle_groups, "groups come and go", {}, true},
      {"offers.agreed",
       Where::kRanks,
       offers_agreed,
       "serves the group that it offers to",
       {},
       true},
      {"offers.limits", Where::kRanks, offers_limits, "serves every rule up to its limits"},
  };
  cases.push_back({"contract.tag_lines", Where::kRanks, contract_tag_lines,
                   "calls across the boundary in their places, by their thread classes"});
  cases.push_back({"contract.half_made", Where::kRanks, contract_half_made,
                   "ends a group that another rank could not set up"});
  cases.push_back({"contract.alone", Where::kRanks, contract_alone,
                   "prepares and ends a group while the other ranks stay away"});
  cases.push_back({"contract.unknown_values", Where::kRanks, contract_unknown_values,
                   "refuses values that only a newer runtime knows"});
  for (muster_op op = MUSTER_ALL_REDUCE; op < MUSTER_OP_END; ++op) {
    if (op == MUSTER_RECV) continue;  // the other end of send
    const std::string name = muster_op_name(op);
    cases.push_back({"collectives." + name, Where::kRanks, collectives,
                     "gives the results of the reference", name});
  }
  const std::vector<Case> rest = {
      {"memory.registered", Where::kRanks, memory_registered,
       "the same results on memory of the group, at any place in it"},
      {"order.in_flight", Where::kRanks, order_in_flight, "keeps calls in flight apart"},
      {"determinism.run_to_run", Where::kRanks, determinism_run_to_run,
       "same inputs, same bits, where declared"},
      {"determinism.rank_invariant", Where::kRanks, determinism_rank_invariant,
       "the same bits on every rank, where declared"},
      {"determinism.size_invariant", Where::kRanks, determinism_size_invariant,
       "the same bits at any position, where declared"},
      {"concurrency.groups", Where::kRanks, concurrency_groups, "groups on threads of one rank"},
      {"concurrency.threads", Where::kThreads, concurrency_threads, "ranks as threads"},
      {"concurrency.runtimes", Where::kThreads, concurrency_runtimes,
       "several runtimes in one process"},
      {"capture.phases", Where::kRanks, capture_phases, "warm-up, capture, and calls after them"},
      {"capture.aborted", Where::kRanks, capture_aborted, "outlives a capture that was given up"},
      {"faults.peer_lost", Where::kRanks, faults_peer_lost, "notices a lost rank"},
      {"faults.deadline", Where::kRanks, faults_deadline, "stops waiting at the deadline"},
      {"silence.ranks", Where::kRanks, silence_ranks, "serves without output"},
      {"leaks.memory", Where::kRanks, leaks_memory, "gives memory back"},
      {"leaks.descriptors", Where::kRanks, leaks_descriptors, "closes what it opens"},
      {"leaks.threads", Where::kRanks, leaks_threads, "ends the threads that it starts"},
  };
  cases.insert(cases.end(), rest.begin(), rest.end());
  return cases;
}

}  // namespace

const std::vector<Case>& catalogue() {
  static const std::vector<Case> cases = make();
  return cases;
}

}  // namespace muster::check

// Memory that all ranks know: what is registered when a capture ends, and what cannot be.
#include <algorithm>

#include "tests/gpu/peer/suites.hpp"

namespace muster::peer_test {
namespace {

struct Entry {
  Entry(Rank& rank, const Case& c, Place place)
      : arena(rank, uint64_t{8} << 20), trial(arena, c, place, 0) {
    trial.reset();
  }
  Arena arena;
  Trial trial;
};
using Entries = std::vector<std::unique_ptr<Entry>>;

// The device's capture and the backend's phase, as muster_graph_begin and muster_graph_end ask for.
Exec capture_all(Rank& rank, const Entries& entries, bool ok) {
  std::string cause = rank.begin_phase(MUSTER_GRAPH_CAPTURE);
  const Exec exec = rank.capture([&] {
    for (const auto& entry : entries) {
      if (cause.empty()) cause = entry->trial.run();
    }
  });
  const std::string ended = rank.end_phase(ok);
  if (!cause.empty() || !ended.empty()) rank.board.fail(cause + ended);
  return exec;
}

void replay(Rank& rank, Exec exec, const Entries& entries, uint64_t seed, const char* when) {
  for (const auto& entry : entries) entry->trial.reseed(seed);
  rank.board.barrier();
  for (int i = 0; i < 20; ++i) MUSTER_MUST(test_driver().graph_launch(exec, rank.stream));
  for (const auto& entry : entries) entry->trial.check(when);
}

void expect_record(Rank& rank, const std::string& wanted) {
  const bool found =
      std::find(rank.records.begin(), rank.records.end(), wanted) != rank.records.end();
  if (found) {
    rank.board.pass();
    return;
  }
  rank.board.fail("not recorded: " + wanted +
                  "; last: " + (rank.records.empty() ? "nothing" : rank.records.back()));
}

}  // namespace

void captured(Rank& rank) {
  Entries entries;
  const auto add = [&](const Case& c, Place place) {
    entries.push_back(std::make_unique<Entry>(rank, c, place));
  };
  add({MUSTER_ALL_REDUCE, MUSTER_BF16, MUSTER_SUM, (1 << 20) + 8}, Place::kOut);
  // In place a replay must not change what the one before has left.
  add({MUSTER_ALL_REDUCE, MUSTER_F32, MUSTER_MAX, 700001}, Place::kIn);
  add({MUSTER_ALL_GATHER, MUSTER_BF16, MUSTER_REDOP_NONE, 1 << 18}, Place::kOut);
  add({MUSTER_ALL_TO_ALL, MUSTER_F16, MUSTER_REDOP_NONE, 1 << 18}, Place::kOut);
  add({MUSTER_BROADCAST, MUSTER_BF16, MUSTER_REDOP_NONE, (1 << 20) + 3, 1}, Place::kOut);
  add({MUSTER_REDUCE_SCATTER, MUSTER_BF16, MUSTER_SUM, 1 << 18}, Place::kOut);
  const Exec first = capture_all(rank, entries, true);
  // All but reduce_scatter's, whose results stay where they are made.
  expect_record(rank, "registered: 5 of 5 buffers");
  replay(rank, first, entries, 500, "in a replay");
  // Of an aborted capture nothing is left, and the group can be used.
  const size_t records = rank.records.size();
  const Exec second = capture_all(rank, entries, false);
  if (rank.records.size() != records)
    rank.board.fail("an aborted capture has registered something");
  MUSTER_MUST(test_driver().exec_destroy(second));
  for (const auto& entry : entries) entry->trial.reseed(600);
  rank.board.barrier();
  for (const auto& entry : entries) entry->trial.run();
  for (const auto& entry : entries) entry->trial.check("eagerly after an aborted capture");
  const Exec third = capture_all(rank, entries, true);
  replay(rank, third, entries, 700, "in a replay after an aborted capture");
  replay(rank, first, entries, 800, "in a replay of the first graph");
  rank.synchronize();
  rank.board.barrier();
  MUSTER_MUST(test_driver().exec_destroy(first));
  MUSTER_MUST(test_driver().exec_destroy(third));
}

void unknown_memory(Rank& rank) {
  Arena arena(rank, 1 << 20);
  // The last rank gives memory of the host.
  std::vector<unsigned char> host(1 << 16);
  const bool odd = rank.rank + 1 == rank.size;
  void* registration = nullptr;
  const std::string cause = rank.make_known(odd ? cu::device_pointer(host.data()) : arena.send,
                                            host.size(), &registration);
  const std::string wanted =
      "the memory of rank " + std::to_string(rank.size - 1) + " is no memory of a device";
  if (cause.find(wanted) == std::string::npos) {
    rank.board.fail("host memory was judged '" + cause + "'");
  } else {
    rank.board.pass();
  }
  Trial trial(arena, {MUSTER_ALL_REDUCE, MUSTER_F32, MUSTER_SUM, 1000}, Place::kOut, 0);
  trial.reset();
  rank.board.barrier();
  trial.run();
  trial.check("after a refused registration");
}

}  // namespace muster::peer_test

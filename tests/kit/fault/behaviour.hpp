// What the fault plugin does wrong, and where: read from its options, or, for what happens before a
// plugin has options, from the environment variable FAULT_PLUGIN.
//
//   fault = "crash in connect"     WHAT in WHERE; some faults have no place: "wrong element"
//   fault_rank = 1                 the group rank that misbehaves; -1: all of them
//   fault_after = 3                in execute: from the fourth call of a group on
//
// Pure but for act. Any thread.
#ifndef MUSTER_TESTS_KIT_FAULT_BEHAVIOUR_HPP
#define MUSTER_TESTS_KIT_FAULT_BEHAVIOUR_HPP

#include <cstdint>
#include <string>

#include "muster/plugin.hpp"

namespace muster::fault {

// What the plugin declares.
struct Declared {
  static constexpr muster_option kOptions[] = {
      plugin::option("fault", MUSTER_OPTION_TEXT, "", "what goes wrong: 'crash in connect'"),
      plugin::option("fault_rank", MUSTER_OPTION_INTEGER, "-1", "the rank that misbehaves, -1: all",
                     -1, 65535),
      plugin::option("fault_after", MUSTER_OPTION_INTEGER, "0",
                     "calls of a group that go well before", 0, 1 << 30),
  };
};

class Behaviour {
 public:
  Behaviour() = default;
  Behaviour(std::string fault, int64_t rank, uint64_t after)
      : fault_(std::move(fault)), rank_(rank), after_(after) {}
  // FAULT_PLUGIN alone.
  static Behaviour of_environment();

  bool is(const char* fault, uint32_t rank, uint64_t calls = 0) const;
  // Crashes, hangs, throws, fails, prints, leaks, or takes its time, if that is what this rank does
  // in this place. Throws plugin::Failure for "fail in" and for "CODE in".
  void act(const char* place, uint32_t rank, uint64_t calls = 0) const;
  // "throw in" a place, which plugin.hpp would catch.
  bool throws(const char* place, uint32_t rank, uint64_t calls = 0) const;

 private:
  bool applies(uint32_t rank, uint64_t calls) const;

  std::string fault_;
  int64_t rank_ = -1;
  uint64_t after_ = 0;
};

// What is thrown across the boundary, where nothing may be.
struct Stray {};

}  // namespace muster::fault

#endif

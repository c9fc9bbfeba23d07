// What the muster command says of the file before anything of it runs: the first two cases.
#ifndef MUSTER_TESTS_KIT_CHECK_JUDGE_HPP
#define MUSTER_TESTS_KIT_CHECK_JUDGE_HPP

#include <string>

#include "tests/kit/check/setup.hpp"
#include "tests/kit/check/verdict.hpp"

namespace muster::check {

struct Judgement {
  Verdict judged;     // handshake.judged: discovery would use the file
  Verdict unique_id;  // handshake.unique_id: no other file of the configured directories has its id
  std::string id;     // "" when it could not be read
  std::string version;
  bool own_launcher = false;
};

Judgement judge(const Setup& setup);

}  // namespace muster::check

#endif

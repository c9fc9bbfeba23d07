// What explain is asked, as text, and as the Question that it becomes.
//
// Pure values; one thread.
#ifndef MUSTER_CORE_CLI_EXPLAIN_QUESTION_HPP
#define MUSTER_CORE_CLI_EXPLAIN_QUESTION_HPP

#include <string>

#include "core/base/status.hpp"
#include "core/explain/explain.hpp"

namespace muster::cli {

struct QuestionOptions {
  std::string op;
  std::string dtype = "f32";
  std::string redop = "sum";
  std::string bytes = "1M";
  std::string memory = "host";
  std::string phase = "eager";
  std::string determinism = "none";
  bool in_place = false;
  bool host_call = false;  // on device memory: without a stream
};

struct AskedQuestion {
  Question question;
  muster_determinism determinism = MUSTER_NONDETERMINISTIC;
};

// What cannot be read is INVALID_ARGUMENT, with what would be right.
Result<AskedQuestion> read_question(const QuestionOptions& options);

// Sets the text that a name stands for ("phase", "dtype", ...); false: there is no such name.
bool change_question(QuestionOptions& options, const std::string& name, const std::string& text);

}  // namespace muster::cli

#endif

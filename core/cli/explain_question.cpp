#include "core/cli/explain_question.hpp"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "core/base/names.hpp"
#include "core/base/units.hpp"

namespace muster::cli {
namespace {

template <typename T>
Status read_name(const char* what, const std::string& text, std::optional<T> found,
                 const std::string& known, T* out) {
  if (found) {
    *out = *found;
    return Status();
  }
  return Status(MUSTER_INVALID_ARGUMENT,
                fmt::format("'{}' is not {}; use one of {}", text, what, known));
}

}  // namespace

Result<AskedQuestion> read_question(const QuestionOptions& options) {
  AskedQuestion asked;
  Question& question = asked.question;
  muster_phase phase = MUSTER_EAGER;
  MUSTER_TRY(read_name("an operation", options.op, op_from_name(options.op), all_op_names(),
                       &question.op));
  MUSTER_TRY(read_name("a dtype", options.dtype, dtype_from_name(options.dtype), all_dtype_names(),
                       &question.key.dtype));
  MUSTER_TRY(read_name("a reduce operation", options.redop, redop_from_name(options.redop),
                       all_redop_names(), &question.key.redop));
  MUSTER_TRY(read_name("a memory kind", options.memory, memory_from_name(options.memory),
                       all_memory_names(), &question.key.memory));
  MUSTER_TRY(read_name("a phase", options.phase, phase_from_name(options.phase),
                       "eager, warmup, capture, piecewise", &phase));
  MUSTER_TRY(read_name("a determinism class", options.determinism,
                       determinism_from_name(options.determinism),
                       "none, run_to_run, rank_invariant, size_invariant", &asked.determinism));
  question.key.op = selection_op(question.op);
  question.key.phase = phase_class_of(phase);
  if (op_reduces(question.op) && !redop_applies(question.key.redop, question.key.dtype)) {
    return Status(MUSTER_INVALID_ARGUMENT,
                  fmt::format("{} is not defined for {}", options.redop, options.dtype));
  }
  if (!op_reduces(question.op)) question.key.redop = MUSTER_REDOP_NONE;
  if (question.op == MUSTER_BARRIER) {
    question.key.dtype = MUSTER_DTYPE_NONE;
    question.key.memory = MUSTER_HOST;  // wherever the group's memory is
  }
  const muster_stream_kind stream = options.host_call ? muster_stream_kind{MUSTER_STREAM_NONE}
                                                      : stream_kind_of(question.key.memory);
  question.traits = (options.in_place ? kTraitInPlace : kTraitOutOfPlace) | kTraitNotSymmetric |
                    (kTraitStream << stream);
  if (options.bytes == "unsized" || op_is_point_to_point(question.op)) {
    question.bytes = kUnsized;
    return asked;
  }
  Result<uint64_t> bytes = parse_bytes(options.bytes);
  if (!bytes.ok()) return bytes.take_status().within("--bytes");
  question.bytes = question.op == MUSTER_BARRIER ? 0 : *bytes;
  return asked;
}

bool change_question(QuestionOptions& options, const std::string& name, const std::string& text) {
  const std::pair<const char*, std::string*> names[] = {{"operation", &options.op},
                                                        {"dtype", &options.dtype},
                                                        {"redop", &options.redop},
                                                        {"bytes", &options.bytes},
                                                        {"memory", &options.memory},
                                                        {"phase", &options.phase},
                                                        {"determinism", &options.determinism}};
  for (const auto& [known, value] : names) {
    if (name != known) continue;
    *value = text;
    return true;
  }
  return false;
}

}  // namespace muster::cli

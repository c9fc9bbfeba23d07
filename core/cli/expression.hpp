// Arithmetic over named whole numbers, for the counts of workload files: "tokens * hidden",
// "ceil_div(vocabulary, tp)".
//
// Unsigned 64-bit. +, -, *, / and parentheses; a / that leaves a remainder, a negative difference
// and an overflow are errors that say at which character. ceil_div(a, b) rounds up, max(a, b) is
// the larger. Immutable after parse: any thread may evaluate.
#ifndef MUSTER_CORE_CLI_EXPRESSION_HPP
#define MUSTER_CORE_CLI_EXPRESSION_HPP

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.hpp"

namespace muster {

class Expression {
 public:
  using Values = std::map<std::string, uint64_t, std::less<>>;

  static Result<Expression> parse(std::string_view text);
  Result<uint64_t> evaluate(const Values& values) const;
  const std::string& text() const { return text_; }

 private:
  friend class ExpressionParser;
  // In postfix order: numbers and names push, the others pop two and push one.
  struct Instruction {
    enum class Kind { kNumber, kName, kAdd, kSubtract, kMultiply, kDivide, kCeilDiv, kMax };
    Kind kind;
    uint32_t position;  // of the first character, from 1
    uint64_t number = 0;
    std::string name;
  };
  Status failure(muster_code code, uint32_t position, std::string_view cause) const;
  Result<uint64_t> apply(const Instruction& instruction, uint64_t left, uint64_t right) const;

  std::string text_;
  std::vector<Instruction> program_;
};

}  // namespace muster

#endif

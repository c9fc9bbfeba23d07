#include "core/cli/expression.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace muster {
namespace {

constexpr int kMaxDepth = 32;

bool starts_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

// Recursive descent; each level appends its postfix form.
class ExpressionParser {
 public:
  using Kind = Expression::Instruction::Kind;

  explicit ExpressionParser(std::string_view text) { expression_.text_ = text; }

  Result<Expression> parse() {
    MUSTER_TRY(sum(0));
    if (next() != '\0') return unexpected("an operator or the end");
    return std::move(expression_);
  }

 private:
  // The next character that is not a blank; 0 at the end.
  char next() {
    while (at_ < text().size() && (text()[at_] == ' ' || text()[at_] == '\t')) ++at_;
    return at_ < text().size() ? text()[at_] : '\0';
  }
  const std::string& text() const { return expression_.text_; }
  uint32_t position() const { return static_cast<uint32_t>(at_) + 1; }
  void emit(Kind kind, uint32_t position) {
    expression_.program_.push_back({kind, position, 0, {}});
  }

  Status unexpected(std::string_view wanted) {
    const char c = next();
    return expression_.failure(MUSTER_INVALID_ARGUMENT, position(),
                               c == '\0' ? fmt::format("ends where {} was expected", wanted)
                                         : fmt::format("'{}' where {} was expected", c, wanted));
  }

  Status sum(int depth) {
    MUSTER_TRY(product(depth));
    for (char c = next(); c == '+' || c == '-'; c = next()) {
      const uint32_t where = position();
      ++at_;
      MUSTER_TRY(product(depth));
      emit(c == '+' ? Kind::kAdd : Kind::kSubtract, where);
    }
    return {};
  }

  Status product(int depth) {
    MUSTER_TRY(operand(depth));
    for (char c = next(); c == '*' || c == '/'; c = next()) {
      const uint32_t where = position();
      ++at_;
      MUSTER_TRY(operand(depth));
      emit(c == '*' ? Kind::kMultiply : Kind::kDivide, where);
    }
    return {};
  }

  Status operand(int depth) {
    const char c = next();
    if (depth >= kMaxDepth) {
      return expression_.failure(MUSTER_OUT_OF_RANGE, position(), "parentheses nest too deeply");
    }
    if (c == '(') {
      ++at_;
      MUSTER_TRY(sum(depth + 1));
      return close();
    }
    if (is_digit(c)) return number();
    if (starts_name(c)) return name(depth);
    return unexpected("a number, a name or '('");
  }

  Status close() {
    if (next() != ')') return unexpected("')'");
    ++at_;
    return {};
  }

  Status number() {
    Expression::Instruction instruction{Kind::kNumber, position(), 0, {}};
    const char* first = text().data() + at_;
    const char* last = text().data() + text().size();
    const auto [end, error] = std::from_chars(first, last, instruction.number);
    if (error != std::errc{}) {
      return expression_.failure(MUSTER_OUT_OF_RANGE, position(), "the number exceeds 64 bits");
    }
    at_ += static_cast<size_t>(end - first);
    if (at_ < text().size() && starts_name(text()[at_])) return unexpected("an operator");
    expression_.program_.push_back(std::move(instruction));
    return {};
  }

  Status name(int depth) {
    Expression::Instruction instruction{Kind::kName, position(), 0, {}};
    while (at_ < text().size() && (starts_name(text()[at_]) || is_digit(text()[at_]))) {
      instruction.name += text()[at_++];
    }
    if (next() != '(') {
      expression_.program_.push_back(std::move(instruction));
      return {};
    }
    if (instruction.name != "ceil_div" && instruction.name != "max") {
      return expression_.failure(
          MUSTER_NOT_FOUND, instruction.position,
          fmt::format("no function '{}' (there are ceil_div and max)", instruction.name));
    }
    ++at_;
    MUSTER_TRY(sum(depth + 1));
    if (next() != ',') return unexpected("','");
    ++at_;
    MUSTER_TRY(sum(depth + 1));
    MUSTER_TRY(close());
    emit(instruction.name == "max" ? Kind::kMax : Kind::kCeilDiv, instruction.position);
    return {};
  }

  Expression expression_;
  size_t at_ = 0;
};

Result<Expression> Expression::parse(std::string_view text) {
  return ExpressionParser(text).parse();
}

Status Expression::failure(muster_code code, uint32_t position, std::string_view cause) const {
  return Status(code, fmt::format("expression '{}', character {}: {}", text_, position, cause));
}

Result<uint64_t> Expression::evaluate(const Values& values) const {
  std::vector<uint64_t> stack;
  for (const Instruction& instruction : program_) {
    if (instruction.kind == Instruction::Kind::kNumber) {
      stack.push_back(instruction.number);
    } else if (instruction.kind == Instruction::Kind::kName) {
      const auto found = values.find(instruction.name);
      if (found == values.end()) {
        return failure(MUSTER_NOT_FOUND, instruction.position,
                       fmt::format("no value is named '{}'", instruction.name));
      }
      stack.push_back(found->second);
    } else {
      const uint64_t right = stack.back();
      stack.pop_back();
      Result<uint64_t> result = apply(instruction, stack.back(), right);
      if (!result.ok()) return result.take_status();
      stack.back() = *result;
    }
  }
  return stack.back();
}

Result<uint64_t> Expression::apply(const Instruction& instruction, uint64_t left,
                                   uint64_t right) const {
  const auto out_of_range = [&](std::string_view cause) {
    return failure(MUSTER_OUT_OF_RANGE, instruction.position, cause);
  };
  uint64_t result = 0;
  switch (instruction.kind) {
    case Instruction::Kind::kAdd:
      if (__builtin_add_overflow(left, right, &result)) {
        return out_of_range(fmt::format("{} + {} exceeds 64 bits", left, right));
      }
      return result;
    case Instruction::Kind::kSubtract:
      if (right > left) return out_of_range(fmt::format("{} - {} is negative", left, right));
      return left - right;
    case Instruction::Kind::kMultiply:
      if (__builtin_mul_overflow(left, right, &result)) {
        return out_of_range(fmt::format("{} * {} exceeds 64 bits", left, right));
      }
      return result;
    case Instruction::Kind::kMax:
      return std::max(left, right);
    default:
      break;
  }
  if (right == 0) return out_of_range(fmt::format("{} is divided by 0", left));
  if (instruction.kind == Instruction::Kind::kCeilDiv) {
    return left / right + (left % right != 0 ? 1 : 0);
  }
  if (left % right != 0) {
    return out_of_range(fmt::format("{} / {} leaves a remainder of {}", left, right, left % right));
  }
  return left / right;
}

}  // namespace muster

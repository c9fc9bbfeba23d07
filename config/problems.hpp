// What is wrong with one file: the first problem in the order of its lines is the one reported.
#ifndef MUSTER_CONFIG_PROBLEMS_HPP
#define MUSTER_CONFIG_PROBLEMS_HPP

#include <optional>
#include <string>
#include <utility>

#include "config/toml_node.hpp"

namespace muster {

class Problems {
 public:
  void add(TextPosition at, ValueProblem problem) {
    if (!first_ || at < first_->first) first_.emplace(at, std::move(problem));
  }
  void add(TextPosition at, std::optional<ValueProblem> problem) {
    if (problem) add(at, std::move(*problem));
  }
  // "name:line:column: cause"; ok when nothing was added.
  Status status(const std::string& name) const {
    return first_ ? status_at(name, first_->first, first_->second) : Status();
  }

 private:
  std::optional<std::pair<TextPosition, ValueProblem>> first_;
};

}  // namespace muster

#endif

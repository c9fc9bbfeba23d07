// What the cases of a run came to: lines as they end, a summary, or JSON (muster.check/1).
#ifndef MUSTER_TESTS_KIT_CHECK_REPORT_HPP
#define MUSTER_TESTS_KIT_CHECK_REPORT_HPP

#include <string>
#include <vector>

#include "tests/kit/check/setup.hpp"
#include "tests/kit/check/verdict.hpp"

namespace muster::check {

class Report {
 public:
  // expected: cases that are known to fail.
  Report(const Setup& setup, const std::string& version, bool json,
         std::vector<std::string> expected);
  void add(const std::string& name, Verdict verdict, double seconds);
  // Cases that were not run, for this one was not ok.
  void leave_out(std::vector<std::string> names, const std::string& because);
  // Prints the rest; the exit code.
  int end();

 private:
  struct Line {
    std::string name;
    Verdict verdict;
    double seconds;
  };
  std::string repeat(const std::string& name) const;
  void print(const Line& line) const;
  void print_json(int code) const;

  const Setup& setup_;
  const std::string version_;
  const bool json_;
  const std::vector<std::string> expected_;
  std::vector<Line> lines_;
  std::vector<std::string> left_out_;
  std::string because_;
};

}  // namespace muster::check

#endif

// What a backend's probe reports, checked as it comes.
//
// One thread; the sink is valid as long as this stays where it is.
#ifndef MUSTER_CORE_DISCOVER_FACTS_HPP
#define MUSTER_CORE_DISCOVER_FACTS_HPP

#include <map>
#include <string>
#include <utility>

#include "muster/backend.h"

namespace muster {

// By name; of a rank, or of a machine.
using FactMap = std::map<std::string, std::string>;

class ReportedFacts {
 public:
  ReportedFacts() = default;
  ReportedFacts(const ReportedFacts&) = delete;
  ReportedFacts& operator=(const ReportedFacts&) = delete;

  // For the probe to write into.
  muster_fact_sink sink();
  // The first that is not canonical, or all of them when they are too long: "it reported ...".
  const std::string& fault() const { return fault_; }
  FactMap take() { return std::move(values_); }

 private:
  void put(const char* key, const char* value);

  FactMap values_;
  size_t bytes_ = 0;
  std::string fault_;
};

}  // namespace muster

#endif

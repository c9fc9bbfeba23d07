#include "tests/kit/check/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace muster::check {

Report::Report(const Setup& setup, const std::string& version, bool json,
               std::vector<std::string> expected)
    : setup_(setup), version_(version), json_(json), expected_(std::move(expected)) {
  if (json_) return;
  // A file that cannot be read says neither.
  const std::string who = setup.id.empty() ? "" : fmt::format("{} {}, ", setup.id, version);
  fmt::print("{}: {}{} ranks{}, seed {}\n", setup.plugin, who, setup.ranks,
             setup.mpirun ? " of mpirun" : "", setup.seed);
}

void Report::add(const std::string& name, Verdict verdict, double seconds) {
  if (std::find(expected_.begin(), expected_.end(), name) != expected_.end()) {
    if (verdict.red()) {
      verdict.outcome = Outcome::kExpectedFailure;
    } else if (verdict.outcome == Outcome::kOk) {
      verdict = {Outcome::kFailed, "it was expected to fail and is ok", {}};
    }
  }
  lines_.push_back({name, std::move(verdict), seconds});
  if (!json_) print(lines_.back());
}

void Report::leave_out(std::vector<std::string> names, const std::string& because) {
  left_out_ = std::move(names);
  because_ = because;
}

std::string Report::repeat(const std::string& name) const {
  std::string text = fmt::format("muster check plugin {} --only {} --seed {} --ranks {}",
                                 setup_.plugin, name, setup_.seed, setup_.ranks);
  if (!setup_.config.empty()) text += " --config " + setup_.config;
  for (const auto& [key, value] : setup_.options) {
    text += fmt::format(" --option '{}={}'", key, value);
  }
  return text;
}

void Report::print(const Line& line) const {
  fmt::print("{:<17} {:<36} {:>6.2f} s  seed {}{}{}\n", outcome_name(line.verdict.outcome),
             line.name, line.seconds, setup_.seed, line.verdict.detail.empty() ? "" : "  ",
             line.verdict.detail);
  if (line.verdict.red()) fmt::print("                  {}\n", repeat(line.name));
  std::fflush(stdout);
}

void Report::print_json(int code) const {
  using Json = nlohmann::ordered_json;
  Json cases = Json::array();
  for (const Line& line : lines_) {
    Json item = {{"case", line.name},
                 {"outcome", outcome_name(line.verdict.outcome)},
                 {"seconds", line.seconds},
                 {"seed", setup_.seed}};
    if (!line.verdict.detail.empty()) item["detail"] = line.verdict.detail;
    if (line.verdict.red()) item["repeat"] = repeat(line.name);
    cases.push_back(std::move(item));
  }
  const Json json = {{"schema", "muster.check/1"},
                     {"plugin", setup_.plugin},
                     {"id", setup_.id},
                     {"version", version_},
                     {"ranks", setup_.ranks},
                     {"seed", setup_.seed},
                     {"ok", code == 0},
                     {"cases", cases},
                     {"left_out", left_out_}};
  std::puts(json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

int Report::end() {
  std::array<size_t, 6> counts = {};
  for (const Line& line : lines_) ++counts[static_cast<size_t>(line.verdict.outcome)];
  const bool red = std::any_of(lines_.begin(), lines_.end(),
                               [](const Line& line) { return line.verdict.red(); });
  if (json_) {
    print_json(red ? 1 : 0);
    return red ? 1 : 0;
  }
  std::string text;
  for (const Outcome outcome :
       {Outcome::kOk, Outcome::kFailed, Outcome::kCrashed, Outcome::kTimedOut,
        Outcome::kExpectedFailure, Outcome::kNotOffered}) {
    const size_t count = counts[static_cast<size_t>(outcome)];
    if (count != 0)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, outcome_name(outcome));
  }
  if (!left_out_.empty()) {
    text += fmt::format("; {} cases were left out, for {} is not ok", left_out_.size(), because_);
  }
  fmt::print("{}\n", text);
  return red ? 1 : 0;
}

}  // namespace muster::check

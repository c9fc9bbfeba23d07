#include "core/cli/bench_csv.hpp"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <string>

namespace muster::cli {
namespace {

using Fields = std::vector<std::string_view>;

Fields split(std::string_view text, char separator) {
  Fields fields;
  for (size_t from = 0; from <= text.size();) {
    const size_t to = std::min(text.find(separator, from), text.size());
    fields.push_back(text.substr(from, to - from));
    from = to + 1;
  }
  return fields;
}

// One line's fields by the header's names; remembers the first that is missing or no number.
class Line {
 public:
  Line(const Fields& names, const Fields& values) {
    for (size_t i = 0; i < names.size() && i < values.size(); ++i) fields_[names[i]] = values[i];
  }

  std::string text(std::string_view name) {
    const auto found = fields_.find(name);
    if (found == fields_.end()) bad(name);
    return found == fields_.end() ? std::string() : std::string(found->second);
  }

  template <class T>
  void number(std::string_view name, T* out) {
    const auto found = fields_.find(name);
    if (found == fields_.end()) return bad(name);
    const std::string_view value = found->second;
    const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), *out);
    if (error != std::errc() || stop != value.data() + value.size()) bad(name);
  }

  template <class T>
  void number_if_there(std::string_view name, T* out) {
    if (fields_.count(name) != 0) number(name, out);
  }

  const std::string& bad_field() const { return bad_; }

 private:
  void bad(std::string_view name) {
    if (bad_.empty()) bad_ = name;
  }

  std::map<std::string_view, std::string_view> fields_;
  std::string bad_;
};

}  // namespace

Result<std::vector<BenchRow>> parse_bench_csv(std::string_view text) {
  std::vector<BenchRow> rows;
  Fields names;
  for (const std::string_view line : split(text, '\n')) {
    if (line.starts_with("op,dtype,")) {
      names = split(line, ',');
      continue;
    }
    if (names.empty() || line.empty()) continue;
    Line fields(names, split(line, ','));
    BenchRow row;
    row.op = fields.text("op");
    row.dtype = fields.text("dtype");
    row.redop = fields.text("redop");
    row.backend = fields.text("backend");
    fields.number("ranks", &row.ranks);
    fields.number("bytes", &row.bytes);
    fields.number("median_us", &row.median);
    fields.number("wrong", &row.wrong);
    fields.number_if_there("count", &row.count);
    fields.number_if_there("algbw_gbs", &row.algbw);
    fields.number_if_there("busbw_gbs", &row.busbw);
    fields.number_if_there("iterations", &row.iterations);
    fields.number_if_there("floor_us", &row.floor);
    if (!fields.bad_field().empty()) {
      return Status(MUSTER_DATA_LOSS,
                    fmt::format("column {} is missing or no number in the line '{}'",
                                fields.bad_field(), line),
                    fmt::format("the columns are {}", bench_csv_header()));
    }
    rows.push_back(std::move(row));
  }
  if (!names.empty()) return rows;
  return Status(MUSTER_DATA_LOSS, "there is no line of column names in what was printed",
                fmt::format("the columns are {}", bench_csv_header()));
}

}  // namespace muster::cli

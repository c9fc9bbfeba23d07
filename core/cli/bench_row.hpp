// A row of `muster bench`, and its line of CSV: muster's own and the peers' programs print the
// same. Nothing is linked.
#ifndef MUSTER_CORE_CLI_BENCH_ROW_HPP
#define MUSTER_CORE_CLI_BENCH_ROW_HPP

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace muster::cli {

struct BenchRow {
  std::string op;
  std::string dtype;
  std::string redop;  // "none" where nothing is reduced
  uint32_t ranks = 0;
  uint64_t bytes = 0;
  uint64_t count = 0;
  double median = 0;  // microseconds
  double min = 0;
  double max = 0;
  double p99 = 0;
  double algbw = 0;  // GB/s
  double busbw = 0;
  uint64_t wrong = 0;
  std::string backend;  // or the peer, with its version
  uint64_t iterations = 0;
  bool in_place = false;
  std::string memory = "ordinary";
  std::string loop = "synchronised";
  double floor = 0;  // microseconds of an exchange of nothing meanwhile; 0: not measured
  double host = 0;   // microseconds that the host takes to enqueue a call; 0: not measured

  // From the microseconds of each iteration, which it sorts.
  void set_times(std::vector<double>& us);
};

// Of these, size means the whole vector, and a rank's count is its n-th part.
inline bool size_is_whole(std::string_view op) {
  return op.starts_with("all_gather") || op.starts_with("reduce_scatter") ||
         op.starts_with("gather") || op.starts_with("scatter") || op.starts_with("all_to_all");
}

// As nccl-tests: the bandwidth of the busiest link, so that it can be compared with hardware
// whatever the number of ranks.
inline double bus_factor(std::string_view op, uint32_t n) {
  if (op == "all_reduce") return 2.0 * (n - 1) / n;
  return size_is_whole(op) ? static_cast<double>(n - 1) / n : 1.0;
}

inline void BenchRow::set_times(std::vector<double>& us) {
  std::sort(us.begin(), us.end());
  iterations = us.size();
  if (us.empty()) return;
  median = us[us.size() / 2];
  min = us.front();
  max = us.back();
  p99 = us[std::min(us.size() - 1, us.size() * 99 / 100)];
  algbw = median > 0 ? static_cast<double>(bytes) / median / 1000 : 0;
  busbw = algbw * bus_factor(op, ranks);
}

inline const char* bench_csv_header() {
  return "op,dtype,redop,ranks,bytes,count,median_us,min_us,max_us,p99_us,algbw_gbs,busbw_gbs,"
         "wrong,"
         "backend,iterations,place,memory,loop,floor_us,host_us";
}

inline std::string bench_csv_line(const BenchRow& row) {
  char numbers[256];
  std::snprintf(numbers, sizeof(numbers), ",%u,%llu,%llu,%.3f,%.3f,%.3f,%.3f,%.4f,%.4f,%llu,",
                row.ranks, static_cast<unsigned long long>(row.bytes),
                static_cast<unsigned long long>(row.count), row.median, row.min, row.max, row.p99,
                row.algbw, row.busbw, static_cast<unsigned long long>(row.wrong));
  char tail[128];
  std::snprintf(tail, sizeof(tail), ",%llu,%s,%s,%s,%.3f,%.3f",
                static_cast<unsigned long long>(row.iterations), row.in_place ? "in" : "out",
                row.memory.c_str(), row.loop.c_str(), row.floor, row.host);
  return row.op + "," + row.dtype + "," + row.redop + numbers + row.backend + tail;
}

}  // namespace muster::cli

#endif

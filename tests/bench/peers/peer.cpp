#include "tests/bench/peers/peer.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <string_view>

#include "core/cli/bench_row.hpp"
#include "core/cli/meeting.hpp"
#include "core/cli/processors.hpp"
#include "core/cli/timed_loop.hpp"
#include "tests/bench/peers/data.hpp"

namespace muster::peers {
namespace {

constexpr int kUsage = 2;
constexpr int kNoSuchOperation = 77;

struct Options {
  PeerCall call;
  std::string dtype = "f32";
  std::string redop = "sum";
  std::vector<uint64_t> sizes = {8, 64, 1024, 8192, 65536, 262144, 1048576};
  cli::LoopOptions loop;
  bool bind = true;
};

constexpr const char* kUsageText =
    "usage: PEER OPERATION [--sizes BYTES,...] [--dtype TYPE] [--redop OP] [--iterations N]\n"
    "            [--warmup N] [--seconds S] [--loop synchronised|back-to-back] [--bind core|none]\n"
    "            [--in-place] [--store DIRECTORY]\n";

std::vector<uint64_t> numbers(const char* text) {
  std::vector<uint64_t> all;
  for (char* at = const_cast<char*>(text); *at != '\0';) {
    char* end = nullptr;
    const uint64_t number = std::strtoull(at, &end, 10);
    if (end == at || number == 0 || (*end != ',' && *end != '\0')) return {};
    all.push_back(number);
    at = *end == ',' ? end + 1 : end;
  }
  return all;
}

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  if (argc < 2 || argv[1][0] == '-') return std::nullopt;
  options.call.op = argv[1];
  for (int i = 2; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--in-place") {
      options.call.in_place = true;
      continue;
    }
    if (++i == argc) return std::nullopt;
    const char* const text = argv[i];
    if (name == "--sizes") {
      options.sizes = numbers(text);
      if (options.sizes.empty()) return std::nullopt;
    } else if (name == "--dtype") {
      options.dtype = text;
    } else if (name == "--redop") {
      options.redop = text;
    } else if (name == "--iterations") {
      options.loop.iterations = static_cast<uint32_t>(std::atoi(text));
    } else if (name == "--warmup") {
      options.loop.warmup = static_cast<uint32_t>(std::atoi(text));
    } else if (name == "--seconds") {
      options.loop.seconds = std::atof(text);
    } else if (name == "--loop") {
      options.loop.back_to_back = std::strcmp(text, "back-to-back") == 0;
    } else if (name == "--bind") {
      options.bind = std::strcmp(text, "none") != 0;
    } else if (name != "--store") {  // of the library
      return std::nullopt;
    }
  }
  const auto dtype = std::find_if(std::begin(kDtypes), std::end(kDtypes),
                                  [&](const DtypeName& d) { return d.name == options.dtype; });
  const auto redop = std::find_if(std::begin(kRedops), std::end(kRedops),
                                  [&](const RedopName& r) { return r.name == options.redop; });
  if (dtype == std::end(kDtypes) || redop == std::end(kRedops)) return std::nullopt;
  options.call.dtype = dtype->dtype;
  options.call.redop = redop->redop;
  options.call.element = with_type(dtype->dtype, [](auto zero) { return sizeof(zero); });
  if (options.call.op == "barrier") options.sizes.resize(1);
  return options;
}

std::unique_ptr<cli::Meeting> meet(Library& library) {
  cli::MeetingAddress address;
  std::unique_ptr<cli::Meeting> meeting;
  if (library.rank() == 0) meeting = cli::Meeting::host(library.size(), &address);
  library.share(&address, sizeof(address));
  if (library.rank() != 0) meeting = cli::Meeting::join(address, library.rank());
  if (!library.all(meeting != nullptr)) return nullptr;
  return meeting->open_with_all() ? std::move(meeting) : nullptr;
}

// Over all ranks.
std::optional<uint64_t> total(cli::Meeting& meeting, uint64_t mine) {
  std::vector<double> by_rank(meeting.ranks());
  by_rank[meeting.rank()] = static_cast<double>(mine);
  if (!meeting.largest(by_rank.data(), by_rank.size())) return std::nullopt;
  double sum = 0;
  for (const double one : by_rank) sum += one;
  return static_cast<uint64_t>(sum);
}

int fail(const Library& library, const std::string& what) {
  std::fprintf(stderr, "%s, rank %u: %s\n", library.name().c_str(), library.rank(), what.c_str());
  return 1;
}

bool reduces(const std::string& op) { return op.find("reduce") != std::string::npos; }

int measure(Library& library, const Options& options, cli::Meeting& meeting) {
  const bool prints = library.rank() == 0;
  if (prints) std::puts(cli::bench_csv_header());
  uint64_t all_wrong = 0;
  for (const uint64_t bytes : options.sizes) {
    PeerCall call = options.call;
    const uint64_t parts = cli::size_is_whole(call.op) ? library.size() : 1;
    call.count = call.op == "barrier" ? 0 : bytes / call.element / parts;
    Data data(call, library.rank(), library.size());
    const std::function<void()> run = library.prepare(call);
    data.fill();
    run();
    const auto wrong = total(meeting, data.count_wrong());
    if (!wrong) return fail(library, "lost a rank");
    cli::LoopTimes times;
    const auto once = [&run] {
      run();
      return true;
    };
    if (!cli::run_loop(meeting, options.loop, once, &times)) return fail(library, "lost a rank");
    cli::BenchRow row;
    row.op = call.op;
    row.dtype = options.dtype;
    row.redop = reduces(call.op) ? options.redop : "none";
    row.ranks = library.size();
    row.count = call.count;
    row.bytes = call.count * parts * call.element;
    row.in_place = call.in_place;
    row.loop = options.loop.back_to_back ? "back-to-back" : "synchronised";
    row.floor = times.floor;
    row.wrong = *wrong;
    row.backend = library.name();
    row.set_times(times.us);
    all_wrong += row.wrong;
    if (prints) std::puts(cli::bench_csv_line(row).c_str());
    std::fflush(stdout);
  }
  return all_wrong == 0 ? 0 : 1;
}

}  // namespace

int run_peer(int argc, char** argv, Library& library) {
  const bool prints = library.rank() == 0;
  const std::optional<Options> options = parse(argc, argv);
  if (!options) {
    if (prints) std::fputs(kUsageText, stderr);
    return kUsage;
  }
  try {
    PeerCall probe = options->call;
    probe.count = 1;
    Data data(probe, library.rank(), library.size());
    if (!library.prepare(probe)) {
      if (prints) {
        std::fprintf(stderr, "%s has no %s%s %s %s\n", library.name().c_str(), probe.op.c_str(),
                     probe.in_place ? " in place" : "", options->dtype.c_str(),
                     reduces(probe.op) ? options->redop.c_str() : "");
      }
      // No rank leaves while another one is still connecting.
      library.all(true);
      return kNoSuchOperation;
    }
    if (options->bind) cli::bind_to_processor(cli::local_place());
    const std::unique_ptr<cli::Meeting> meeting = meet(library);
    if (meeting == nullptr) return fail(library, "the ranks share no memory");
    return measure(library, *options, *meeting);
  } catch (const std::exception& error) {
    return fail(library, error.what());
  }
}

}  // namespace muster::peers

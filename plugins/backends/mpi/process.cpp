#include "plugins/backends/mpi/process.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "muster/plugin.hpp"

namespace muster::mpi {
namespace {

using plugin::fail;

constexpr auto kExitPatience = std::chrono::seconds(5);
std::atomic<int> level{-1};
std::mutex call_mutex;
std::mutex making_mutex;
std::mutex initialise_mutex;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

int number(const std::string& text) {
  return text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != text.npos
             ? -1
             : std::stoi(text);
}

bool multiple() {
  int now = level.load(std::memory_order_relaxed);
  if (now < 0) {
    if (!live()) return false;
    library.Query_thread(&now);
    level.store(now, std::memory_order_relaxed);
  }
  return now >= MPI_THREAD_MULTIPLE;
}

// Ends the MPI that the plugin began. mpirun ends the whole job when a rank leaves without
// MPI_Finalize, so a rank that exits well must call it; a rank that exits with a failure calls it
// only if the others leave too, else the job would hang in it instead of being ended.
void finalise_at_exit(int exit_code, void*) {
  if (!live()) return;
  MPI_Request request = MPI_REQUEST_NULL;
  int done = 0;
  if (library.Ibarrier(MPI_COMM_WORLD, &request) == MPI_SUCCESS) {
    const auto end = std::chrono::steady_clock::now() + kExitPatience;
    while (library.Test(&request, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && done == 0 &&
           std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  }
  if (done != 0 || exit_code == 0) library.Finalize();
}

}  // namespace

Phase phase() {
  if (!open_library()) return Phase::kBefore;
  int yes = 0;
  library.Initialized(&yes);
  if (yes == 0) return Phase::kBefore;
  library.Finalized(&yes);
  return yes == 0 ? Phase::kLive : Phase::kFinalized;
}

void require_library() {
  if (open_library()) return;
  const std::string why = why_not_open();
  if (why.empty()) {
    fail(MUSTER_UNAVAILABLE, "this process was not started by Open MPI's launcher and has no MPI",
         "start it with mpirun");
  }
  fail(MUSTER_UNAVAILABLE, why,
       "install the Open MPI that mpirun belongs to (Debian: libopenmpi3)");
}

bool launched() { return number(environment("OMPI_COMM_WORLD_SIZE")) > 0; }

Seat seat() {
  Seat seat;
  seat.job = environment("PMIX_NAMESPACE");
  if (seat.job.empty()) seat.job = environment("OMPI_MCA_ess_base_jobid");
  if (live()) {
    library.Comm_rank(MPI_COMM_WORLD, &seat.rank);
    library.Comm_size(MPI_COMM_WORLD, &seat.size);
    if (seat.job.empty()) {  // a singleton: a world of its own
      std::array<char, 256> name{};
      gethostname(name.data(), name.size() - 1);
      seat.job = "alone." + std::string(name.data()) + "." + std::to_string(getpid());
    }
  } else if (launched() && phase() == Phase::kBefore) {
    seat.rank = number(environment("OMPI_COMM_WORLD_RANK"));
    seat.size = number(environment("OMPI_COMM_WORLD_SIZE"));
  }
  return seat;
}

void initialise() {
  std::lock_guard<std::mutex> lock(initialise_mutex);
  switch (phase()) {
    case Phase::kLive:
      return;
    case Phase::kFinalized:
      fail(MUSTER_FAILED_PRECONDITION,
           "MPI was finalized in this process, and MPI cannot be initialised twice",
           "make the runtime before MPI_Finalize, or use another bootstrap");
    case Phase::kBefore:
      break;
  }
  require_library();
  // Plugins are opened with local symbols. Open MPI's own components name libmpi among the
  // libraries that they need, but some third-party ones do not: promote the copy that is loaded.
  dlopen(Library::kName, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
  int provided = 0;
  check(library.Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided), "MPI_Init_thread");
  level.store(provided, std::memory_order_relaxed);
  library.Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  on_exit(finalise_at_exit, nullptr);
}

std::string library_version() {
  if (!open_library()) return {};
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  library.Get_library_version(text.data(), &length);
  const std::string all(text.data());
  return all.substr(0, all.find_first_of(",\n\r"));
}

std::string thread_level() {
  if (!live()) return {};
  int provided = MPI_THREAD_SINGLE;
  library.Query_thread(&provided);
  switch (provided) {
    case MPI_THREAD_MULTIPLE:
      return "multiple";
    case MPI_THREAD_SERIALIZED:
      return "serialized";
    case MPI_THREAD_FUNNELED:
      return "funneled";
    default:
      return "single";
  }
}

Serial::Serial() {
  if (!multiple()) lock_ = std::unique_lock<std::mutex>(call_mutex);
}

Making::Making() {
  if (!multiple()) lock_ = std::unique_lock<std::mutex>(making_mutex);
}

ErrorsReturned::ErrorsReturned(MPI_Comm comm) : comm_(comm), before_(MPI_ERRHANDLER_NULL) {
  library.Comm_get_errhandler(comm_, &before_);
  library.Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
}

ErrorsReturned::~ErrorsReturned() {
  library.Comm_set_errhandler(comm_, before_);
  library.Errhandler_free(&before_);
}

void check(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  library.Error_string(code, text.data(), &length);
  int error_class = MPI_ERR_UNKNOWN;
  library.Error_class(code, &error_class);
  const std::string cause = std::string(what) + ": " + text.data();
  if (error_class == MPI_ERR_TRUNCATE) {
    fail(MUSTER_MISMATCH, cause, "give the same operation and count on every rank");
  }
  if (error_class == MPI_ERR_NO_MEM) fail(MUSTER_RESOURCE_EXHAUSTED, cause);
  fail(MUSTER_INTERNAL, cause);
}

int fold_tag(uint64_t tag) {
  // Fibonacci hashing: 30 bits, below the MPI_TAG_UB of Open MPI (2^31 - 1).
  return static_cast<int>((tag * UINT64_C(0x9E3779B97F4A7C15)) >> 34);
}

}  // namespace muster::mpi

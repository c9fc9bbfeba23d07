#include "tests/gpu/peer/world.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "tests/gpu/peer/image_host.hpp"
#include "tests/gpu/peer/last_words.hpp"

struct muster_status {
  muster_code code;
  std::string cause;
};

namespace muster::peer_test {
namespace {

uint64_t now() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

std::string take(muster_status* status) {
  if (status == nullptr) return {};
  const std::string cause = status->cause;
  delete status;
  return cause;
}

}  // namespace

struct Rank::Host : ImageHost {
  Board* board;
  Rank* owner;
  const WorldSpec* spec;
  muster_group_info info;
  std::vector<muster_rank_place> places;
  std::map<std::string, std::string> options;

  static const Host* of(const muster_host* host) { return static_cast<const Host*>(host); }
  static Host* of(muster_host_group* group) { return reinterpret_cast<Host*>(group); }
  static const Host* of(const muster_host_group* group) {
    return reinterpret_cast<const Host*>(group);
  }
  const char* option_of(const char* key) const {
    const auto found = options.find(key);
    return found == options.end() ? nullptr : found->second.c_str();
  }
  void exchange_descriptors(const int32_t* fds, uint32_t count, int32_t* out) {
    for (uint32_t i = 0; i < count; ++i) {
      for (uint32_t r = 0; r < info.size; ++r) {
        if (r != info.rank) board->send_fd(info.rank, r, fds[i]);
      }
      for (uint32_t r = 0; r < info.size; ++r) {
        out[r * count + i] =
            r == info.rank ? fcntl(fds[i], F_DUPFD_CLOEXEC, 0) : board->receive_fd(r, info.rank);
      }
    }
  }
};

Rank::Rank(const WorldSpec& spec, Board& the_board, uint32_t the_rank)
    : board(the_board), rank(the_rank), size(spec.size()), host_(new Host{}) {
  Host& h = *host_;
  h.struct_size = MUSTER_HOST_SIZE;
  h.board = &board;
  h.images = spec.cache;
  h.owner = this;
  h.spec = &spec;
  h.options = spec.options;
  for (uint32_t r = 0; r < size; ++r) {
    h.places.push_back({r, 0, spec.processes ? r : 0, spec.devices[r]});
  }
  h.info = {MUSTER_GROUP_INFO_SIZE,
            rank,
            size,
            MUSTER_NONDETERMINISTIC,
            7,
            "test",
            spec.processes ? "local" : "threads",
            h.places.data()};
  h.status_make = [](const muster_host*, muster_code code, const char* cause,
                     const char*) -> muster_status* {
    return new muster_status{code, cause};
  };
  h.status_code = [](const muster_status* s) -> muster_code { return s == nullptr ? 0 : s->code; };
  h.status_cause = [](const muster_status* s) { return s == nullptr ? "" : s->cause.c_str(); };
  h.status_release = [](muster_status* s) { delete s; };
  h.log = [](const muster_host*, muster_log_level, const char*) {};
  h.record = [](const muster_host* host, const char*, const char* verdict, const char* reason) {
    Host::of(host)->owner->records.push_back(std::string(verdict) + ": " + reason);
  };
  h.option = [](const muster_host* host, const char* key) {
    return Host::of(host)->option_of(key);
  };
  h.now_ns = now;
  h.get_interface = [](const muster_host*, const char* name) -> const void* {
    return std::strcmp(name, MUSTER_IMAGES_INTERFACE) == 0 ? kept_images() : nullptr;
  };
  h.group_info = [](const muster_host_group* g) { return &Host::of(g)->info; };
  h.group_option = [](const muster_host_group* g, const char* key) {
    return Host::of(g)->option_of(key);
  };
  h.all_gather = [](muster_host_group* g, const void* data, uint64_t bytes,
                    void* out) -> muster_status* {
    Host::of(g)->board->exchange(Host::of(g)->info.rank, data, bytes, out);
    return nullptr;
  };
  h.exchange_fds = [](muster_host_group* g, const int32_t* fds, uint32_t count,
                      int32_t* out) -> muster_status* {
    Host::of(g)->exchange_descriptors(fds, count, out);
    return nullptr;
  };
  backend_ = static_cast<const muster_backend*>(
      muster_plugin_entry.get_interface(nullptr, MUSTER_BACKEND_INTERFACE));
  for (uint32_t i = 0; i < backend_->option_count; ++i) {
    h.options.emplace(backend_->options[i].name, backend_->options[i].default_value);
  }
}

bool Rank::connect() {
  const cu::Driver& cuda = cu::ready_driver();
  MUSTER_MUST(cuda.device_get(&device_, host_->places[rank].device));
  cu::Context context = nullptr;
  MUSTER_MUST(cuda.primary_retain(&context, device_));
  current_ = std::make_unique<cu::Current>(context);
  MUSTER_MUST(test_driver().stream_create(&stream, 1));
  kernels = std::make_unique<TestKernels>();
  std::string cause = take(muster_plugin_entry.open(host_.get(), &instance_));
  host_->instance = instance_;
  if (cause.empty()) {
    cause = take(backend_->group_prepare(
        instance_, reinterpret_cast<muster_host_group*>(host_.get()), &group_));
  }
  uint32_t ready = cause.empty() ? 1 : 0;
  std::vector<uint32_t> all(size);
  board.exchange(rank, &ready, sizeof(ready), all.data());
  for (const uint32_t one : all) ready = ready != 0 && one != 0 ? 1 : 0;
  if (ready != 0) cause = take(backend_->group_connect(group_));
  if (!cause.empty()) board.fail("rank " + std::to_string(rank) + " connects: " + cause);
  ready = ready != 0 && cause.empty() ? 1 : 0;
  board.exchange(rank, &ready, sizeof(ready), all.data());
  for (const uint32_t one : all) {
    if (one == 0) return false;
  }
  return true;
}

Rank::~Rank() {
  if (group_ != nullptr) backend_->group_destroy(group_);
  if (instance_ != nullptr) muster_plugin_entry.close(instance_);
  if (stream != nullptr) test_driver().stream_destroy(stream);
  current_.reset();
}

std::string Rank::execute(const muster_call& call) {
  return take(backend_->execute(group_, &call));
}
std::string Rank::async_error() { return take(backend_->async_error(group_)); }
void Rank::abort() { backend_->abort(group_); }

void Rank::synchronize() {
  constexpr cu::Result kNotReady = 600;
  cu::Result result = 0;
  while ((result = test_driver().stream_query(stream)) == kNotReady) sched_yield();
  must(result, "cuStreamQuery");
}

cu::DevicePointer Rank::allocate(uint64_t bytes) {
  cu::DevicePointer pointer = 0;
  MUSTER_MUST(cu::driver().memory_allocate(&pointer, bytes));
  return pointer;
}

cu::DevicePointer Rank::allocate_virtual(uint64_t bytes) {
  const cu::Driver& cuda = cu::driver();
  cu::AllocationProperties properties{};
  properties.type = cu::kAllocationPinned;
  properties.requested_handles = cu::kHandleFileDescriptor;
  properties.location = {cu::kLocationDevice, device_};
  size_t unit = 0;
  MUSTER_MUST(cuda.memory_granularity(&unit, &properties, cu::kGranularityMinimum));
  bytes = (bytes + unit - 1) / unit * unit;
  cu::MemoryHandle handle = 0;
  cu::DevicePointer at = 0;
  MUSTER_MUST(cuda.memory_create(&handle, bytes, &properties, 0));
  MUSTER_MUST(cuda.address_reserve(&at, bytes, 0, 0, 0));
  MUSTER_MUST(cuda.memory_map(at, bytes, 0, handle, 0));
  const cu::MemoryAccess access{{cu::kLocationDevice, device_}, cu::kAccessReadWrite};
  MUSTER_MUST(cuda.memory_set_access(at, bytes, &access, 1));
  virtual_[at] = {handle, bytes};
  return at;
}

void Rank::release_virtual(cu::DevicePointer pointer) {
  const auto [handle, bytes] = virtual_.at(pointer);
  MUSTER_MUST(cu::driver().memory_unmap(pointer, bytes));
  MUSTER_MUST(cu::driver().address_free(pointer, bytes));
  MUSTER_MUST(cu::driver().memory_release(handle));
  virtual_.erase(pointer);
}

std::string Rank::make_known(cu::DevicePointer pointer, uint64_t bytes, void** registration) {
  return take(backend_->memory_register(group_, cu::host_pointer(pointer), bytes, MUSTER_CUDA,
                                        registration));
}
void Rank::forget(void* registration) { backend_->memory_deregister(group_, registration); }

std::string Rank::begin_phase(muster_phase wanted) {
  phase = wanted;
  return take(backend_->capture_begin(group_, wanted));
}
std::string Rank::end_phase(bool ok) {
  phase = MUSTER_EAGER;
  return take(backend_->capture_end(group_, ok ? 1 : 0));
}

muster_call Rank::call(muster_op op, muster_dtype dtype, muster_redop redop, uint64_t count,
                       cu::DevicePointer send, cu::DevicePointer recv) const {
  muster_call c{};
  c.struct_size = MUSTER_CALL_SIZE;
  c.op = op;
  c.dtype = dtype;
  c.redop = redop;
  c.send_memory = c.recv_memory = MUSTER_CUDA;
  c.count = count;
  c.phase = phase;
  c.send = reinterpret_cast<const void*>(send);
  c.recv = reinterpret_cast<void*>(recv);
  c.stream = {MUSTER_STREAM_CUDA, static_cast<uint32_t>(host_->places[rank].device),
              reinterpret_cast<uint64_t>(stream)};
  return c;
}

Exec Rank::capture(const std::function<void()>& body) {
  Graph graph = nullptr;
  Exec exec = nullptr;
  MUSTER_MUST(test_driver().capture_begin(stream, 1));
  body();
  MUSTER_MUST(test_driver().capture_end(stream, &graph));
  MUSTER_MUST(test_driver().instantiate(&exec, graph, 0));
  MUSTER_MUST(test_driver().graph_destroy(graph));
  MUSTER_MUST(test_driver().graph_upload(exec, stream));
  synchronize();
  // What was instantiated has allocated.
  board.barrier();
  return exec;
}

namespace {

void run_rank(const WorldSpec& spec, Board& board, uint32_t r,
              const std::function<void(Rank&)>& body) {
  try {
    Rank rank(spec, board, r);
    if (rank.connect()) body(rank);
    board.barrier();
  } catch (const std::exception& error) {
    board.fail("rank " + std::to_string(r) + ": " + error.what());
  }
}

// Ends what does not end by itself.
void await(const std::vector<pid_t>& children, unsigned seconds, Board& board) {
  const uint64_t end = now() + seconds * uint64_t{1000000000};
  std::vector<bool> gone(children.size(), false);
  for (size_t left = children.size(); left > 0;) {
    for (size_t i = 0; i < children.size(); ++i) {
      int status = 0;
      if (gone[i] || waitpid(children[i], &status, WNOHANG) != children[i]) continue;
      gone[i] = true;
      --left;
      if (status != 0) {
        const std::string cause =
            "process " + std::to_string(i) + " ended with status " +
            std::to_string(WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
        std::printf("    %s\n", cause.c_str());
        board.fail(cause);
      }
    }
    if (now() > end) {
      board.fail("not over after " + std::to_string(seconds) + " s");
      for (size_t i = 0; i < children.size(); ++i) {
        if (gone[i]) continue;
        kill(children[i], SIGKILL);
        waitpid(children[i], nullptr, 0);
      }
      return;
    }
    usleep(2000);
  }
}

}  // namespace

void run_world(const WorldSpec& spec, const std::function<void(Rank&)>& body, Totals& totals) {
  Board board(spec.size());
  std::fflush(nullptr);
  const uint64_t began = now();
  std::vector<pid_t> children;
  for (uint32_t p = 0; p < (spec.processes ? spec.size() : 1); ++p) {
    const pid_t child = fork();
    if (child != 0) {
      children.push_back(child);
      continue;
    }
    say_last_words();
    // Streams of many ranks in one context need queues of their own.
    setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", 1);
    // Loading a function may allocate.
    setenv("CUDA_MODULE_LOADING", "EAGER", 1);
    if (spec.processes) {
      run_rank(spec, board, p, body);
    } else {
      std::vector<std::thread> threads;
      for (uint32_t r = 0; r < spec.size(); ++r) {
        threads.emplace_back([&, r] { run_rank(spec, board, r, body); });
      }
      for (std::thread& thread : threads) thread.join();
    }
    std::fflush(nullptr);
    _exit(0);
  }
  await(children, spec.seconds, board);
  std::printf("%s: %llu passed, %llu failed, %.1f s\n", spec.name.c_str(),
              static_cast<unsigned long long>(board.passed()),
              static_cast<unsigned long long>(board.failed()),
              static_cast<double>(now() - began) / 1e9);
  board.print_causes();
  std::fflush(stdout);
  totals.passed += board.passed();
  totals.failed += board.failed();
}

int count_devices() {
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) return -1;
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    int count = -1;
    try {
      cu::ready_driver().check(cu::driver().device_count(&count), "cuDeviceGetCount");
    } catch (const std::exception& error) {
      std::printf("no device: %s\n", error.what());
      std::fflush(stdout);
      count = -1;
    }
    const ssize_t n = write(pipe_ends[1], &count, sizeof(count));
    _exit(n == sizeof(count) ? 0 : 1);
  }
  close(pipe_ends[1]);
  int count = -1;
  if (read(pipe_ends[0], &count, sizeof(count)) != sizeof(count)) count = -1;
  close(pipe_ends[0]);
  waitpid(child, nullptr, 0);
  return count;
}

}  // namespace muster::peer_test

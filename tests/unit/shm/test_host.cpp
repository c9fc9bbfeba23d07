#include "tests/unit/shm/test_host.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "core/base/wait.hpp"
#include "core/kernels/registry.hpp"
#include "core/query/host_memory.hpp"

namespace muster::shm_test {

Options with_defaults(const Options& options) {
  Options all = options;
  const auto* backend = static_cast<const muster_backend*>(
      muster_plugin_entry.get_interface(nullptr, MUSTER_BACKEND_INTERFACE));
  for (uint32_t i = 0; i < backend->option_count; ++i) {
    all.emplace(backend->options[i].name, backend->options[i].default_value);
  }
  return all;
}

namespace {

std::atomic<uint32_t>* shared_words(uint32_t count) {
  void* const words = mmap(nullptr, count * sizeof(std::atomic<uint32_t>), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return static_cast<std::atomic<uint32_t>*>(words);
}

}  // namespace

World::World(uint32_t size, Options options, uint64_t call_ns)
    : size(size),
      options(with_defaults(options)),
      call_ns(call_ns),
      places(size),
      alive(shared_words(size)),
      board_(size) {
  for (uint32_t r = 0; r < size; ++r) {
    places[r] = {r, 0, 0, -1};
    alive[r] = 1;
  }
}

World::~World() { munmap(alive, size * sizeof(*alive)); }

bool World::meet(std::unique_lock<std::mutex>& lock) {
  const uint64_t all_here = (arrived_ / size + 1) * size;
  ++arrived_;
  changed_.notify_all();
  return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return arrived_ >= all_here; });
}

bool World::exchange(uint32_t rank, const void* data, uint64_t bytes, void* out) {
  std::unique_lock<std::mutex> lock(mutex_);
  const auto* const first = static_cast<const unsigned char*>(data);
  board_[rank].assign(first, first + bytes);
  if (!meet(lock)) return false;
  for (uint32_t r = 0; r < size; ++r) {
    std::memcpy(static_cast<unsigned char*>(out) + r * bytes, board_[r].data(), bytes);
  }
  return meet(lock);
}

struct Rank::Host : muster_host {
  World* world;
  muster_group_info info;
  uint64_t call_began = 0;

  static const Host* of(const muster_host* host) { return static_cast<const Host*>(host); }
  static Host* of(muster_host_group* group) { return reinterpret_cast<Host*>(group); }
  static const Host* of(const muster_host_group* group) {
    return reinterpret_cast<const Host*>(group);
  }
  muster_host_group* group() { return reinterpret_cast<muster_host_group*>(this); }
  const char* option_of(const char* key) const {
    const auto own = world->options_of.find(info.rank);
    if (own != world->options_of.end() && own->second.count(key) != 0) {
      return own->second.at(key).c_str();
    }
    const auto found = world->options.find(key);
    return found == world->options.end() ? nullptr : found->second.c_str();
  }
  bool exchange_with_all(const void* data, uint64_t bytes, void* out) {
    return world->exchange(info.rank, data, bytes, out);
  }
  bool is_alive(uint32_t peer) const { return world->alive[peer].load() != 0; }
  uint64_t deadline() const { return call_began + world->call_ns; }
};

namespace {

using Host = muster_host;

muster_status* make_status(const Host*, muster_code code, const char* cause, const char* remedy) {
  return Status(code, cause, remedy == nullptr ? "" : remedy).release();
}

// Of all worlds: who signals does not say for which.
std::atomic<uint32_t> signals{0};

// With World::only_signals_wake. The runtime's own wait looks again now and then, which would hide
// that nobody was woken.
muster_status* sleep_until_signalled(World& world, muster_wait_word* word, uint64_t at_least,
                                     uint64_t deadline_ns) {
  uint32_t heard = signals.load();
  __atomic_fetch_add(&word->waiters, 1, __ATOMIC_SEQ_CST);
  bool in_time = true;
  while (in_time && __atomic_load_n(&word->value, __ATOMIC_SEQ_CST) < at_least) {
    ++world.asleep;
    while (in_time && signals.load() == heard) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
      in_time = now_ns() < deadline_ns;
    }
    --world.asleep;
    heard = signals.load();
  }
  __atomic_fetch_sub(&word->waiters, 1, __ATOMIC_SEQ_CST);
  return in_time ? nullptr : Status(MUSTER_DEADLINE_EXCEEDED, "nobody signalled").release();
}

muster_status* nobody_came() {
  return Status(MUSTER_DEADLINE_EXCEEDED, "not all ranks came to the exchange").release();
}

}  // namespace

Rank::Rank(World* world, uint32_t rank) : host_(new Host{}) {
  Host& host = *host_;
  host.struct_size = MUSTER_HOST_SIZE;
  host.world = world;
  host.info = {
      MUSTER_GROUP_INFO_SIZE, rank, world->size, MUSTER_NONDETERMINISTIC, 77, "test", "threads",
      world->places.data()};
  host.status_make = make_status;
  host.status_code = [](const muster_status* status) -> muster_code {
    return status == nullptr ? muster_code{MUSTER_OK} : status->code;
  };
  host.status_cause = [](const muster_status* status) {
    return status == nullptr ? "" : status->cause.c_str();
  };
  host.status_release = [](muster_status* status) { Status::destroy(status); };
  host.log = [](const muster_host*, muster_log_level, const char*) {};
  host.record = [](const muster_host*, const char*, const char*, const char*) {};
  host.option = [](const muster_host* h, const char* key) { return Host::of(h)->option_of(key); };
  host.now_ns = now_ns;
  host.kernel = [](const muster_host* h, const muster_kernel_key* key) -> muster_kernel_function {
    const World& world = *Host::of(h)->world;
    return world.has_kernel && !world.has_kernel(*key) ? nullptr : find_kernel(*key);
  };
  host.get_interface = [](const muster_host*, const char* name) -> const void* {
    const bool known = std::strcmp(name, MUSTER_HOST_MEMORY_INTERFACE) == 0;
    return known ? host_memory_interface() : nullptr;
  };
  host.group_info = [](const muster_host_group* group) { return &Host::of(group)->info; };
  host.group_option = [](const muster_host_group* group, const char* key) {
    return Host::of(group)->option_of(key);
  };
  host.all_gather = [](muster_host_group* group, const void* data, uint64_t bytes,
                       void* out) -> muster_status* {
    return Host::of(group)->exchange_with_all(data, bytes, out) ? nullptr : nobody_came();
  };
  host.exchange_fds = [](muster_host_group* group, const int32_t* fds, uint32_t count,
                         int32_t* out) -> muster_status* {
    Host& self = *Host::of(group);
    if (!self.exchange_with_all(fds, count * sizeof(int32_t), out)) return nobody_came();
    for (uint32_t i = 0; i < count * self.info.size; ++i) {
      out[i] = fcntl(out[i], F_DUPFD_CLOEXEC, 0);
    }
    // Nobody closes its own before all have duplicated it.
    std::vector<int32_t> again(size_t{count} * self.info.size);
    return self.exchange_with_all(fds, count * sizeof(int32_t), again.data()) ? nullptr
                                                                              : nobody_came();
  };
  host.deadline_ns = [](const muster_host_group* group) { return Host::of(group)->deadline(); };
  host.wait = [](muster_host_group* group, muster_wait_word* word, uint64_t at_least,
                 uint32_t peer) -> muster_status* {
    struct Watched {
      const Host* host;
      uint32_t peer;
    } watched{Host::of(group), peer};
    if (watched.host->world->only_signals_wake) {
      return sleep_until_signalled(*watched.host->world, word, at_least, watched.host->deadline());
    }
    WaitLimits limits;
    limits.deadline_ns = watched.host->deadline();
    limits.aborted = &watched.host->world->aborted;
    limits.spin_ns = 5'000;
    limits.context = &watched;
    limits.peer_alive = [](void* context) {
      const Watched& w = *static_cast<Watched*>(context);
      return w.host->is_alive(w.peer);
    };
    switch (wait_for(word, at_least, limits)) {
      case WaitEnd::kReached:
        return nullptr;
      case WaitEnd::kAborted:
        return Status(MUSTER_ABORTED, "aborted").release();
      case WaitEnd::kPeerLost:
        return Status(MUSTER_PEER_LOST, "rank " + std::to_string(peer) + " is gone").release();
      case WaitEnd::kDeadline:
        break;
    }
    return Status(MUSTER_DEADLINE_EXCEEDED, "waited for rank " + std::to_string(peer)).release();
  };
  host.signal = [](muster_wait_word* word, uint64_t value) {
    signal_word(word, value);
    ++signals;
  };
  host.peer_alive = [](muster_host_group* group, uint32_t peer) -> uint32_t {
    return Host::of(group)->is_alive(peer) ? 1 : 0;
  };
}

Rank::~Rank() {
  if (group_ != nullptr) backend_->group_destroy(group_);
  if (instance_ != nullptr) muster_plugin_entry.close(instance_);
  delete host_;
}

uint32_t Rank::rank() const { return host_->info.rank; }
uint32_t Rank::size() const { return host_->info.size; }

Status Rank::prepare() {
  MUSTER_TRY(Status(muster_plugin_entry.open(host_, &instance_)));
  backend_ = static_cast<const muster_backend*>(
      muster_plugin_entry.get_interface(instance_, MUSTER_BACKEND_INTERFACE));
  host_->call_began = now_ns();
  return Status(backend_->group_prepare(instance_, host_->group(), &group_));
}

Status Rank::connect() {
  host_->call_began = now_ns();
  return Status(backend_->group_connect(group_));
}

Status Rank::execute(const muster_call& call) {
  host_->call_began = now_ns();
  return Status(backend_->execute(group_, &call));
}

Status Rank::execute_batch(const std::vector<muster_call>& calls) {
  host_->call_began = now_ns();
  return Status(backend_->execute_batch(group_, calls.data(), static_cast<uint32_t>(calls.size())));
}

Status Rank::memory_register(void* pointer, uint64_t bytes, muster_memory memory, void** out) {
  host_->call_began = now_ns();
  return Status(backend_->memory_register(group_, pointer, bytes, memory, out));
}

void Rank::memory_deregister(void* registration) {
  backend_->memory_deregister(group_, registration);
}

plugin::Group Rank::runtime() const { return plugin::Group(host_, host_->group()); }

void run_unconnected(World& world, const std::function<void(Rank&)>& body) {
  std::vector<std::thread> threads;
  for (uint32_t r = 0; r < world.size; ++r) {
    threads.emplace_back([&world, &body, r] {
      {
        Rank rank(&world, r);
        body(rank);
      }
      world.alive[r] = 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
}

void run_ranks(World& world, const std::function<void(Rank&)>& body) {
  run_unconnected(world, [&](Rank& rank) {
    const Status prepared = rank.prepare();
    ASSERT_TRUE(prepared.ok()) << prepared.message();
    const Status connected = rank.connect();
    ASSERT_TRUE(connected.ok()) << connected.message();
    body(rank);
  });
}

}  // namespace muster::shm_test

#include "core/bootstrap/threads.hpp"

#include <fmt/format.h>

#include <condition_variable>
#include <mutex>

#include "core/bootstrap/deadline.hpp"
#include "core/bootstrap/key_store.hpp"
#include "core/bootstrap/world.hpp"

struct muster_threads {
  explicit muster_threads(uint32_t size) : store(size) {}

  std::mutex mutex;
  std::condition_variable changed;
  muster::KeyStore store;
};

namespace muster {
namespace {

struct ThreadsWorld {
  muster_threads* threads;
  uint32_t rank;
  uint32_t generation;
};

ThreadsWorld& of(muster_world* world) { return *reinterpret_cast<ThreadsWorld*>(world); }

uint32_t available(muster_instance* instance) {
  auto* seat = reinterpret_cast<const ThreadsSeat*>(instance);
  return seat != nullptr && seat->world != nullptr;
}

muster_status* open(muster_instance* instance, uint64_t, muster_world** out) {
  if (available(instance) == 0) {
    return Status(MUSTER_INVALID_ARGUMENT, "a world of threads is joined without a seat").release();
  }
  auto* seat = reinterpret_cast<const ThreadsSeat*>(instance);
  muster_threads* threads = seat->world;
  uint32_t size = threads->store.size();
  if (seat->rank >= size) {
    return Status(
               MUSTER_INVALID_ARGUMENT,
               fmt::format("thread rank {} is outside the world of {} threads", seat->rank, size),
               "give every thread a rank of its own below the size of muster_threads_create")
        .release();
  }
  std::lock_guard lock(threads->mutex);
  uint32_t generation = threads->store.open(seat->rank);
  *out = reinterpret_cast<muster_world*>(new ThreadsWorld{threads, seat->rank, generation});
  return nullptr;
}

uint32_t rank(muster_world* world) { return of(world).rank; }
uint32_t size(muster_world* world) { return of(world).threads->store.size(); }

muster_status* put(muster_world* world, const char* key, const void* data, uint64_t bytes) {
  auto& [threads, rank, generation] = of(world);
  std::string value(static_cast<const char*>(data), bytes);
  Status status;
  {
    std::lock_guard lock(threads->mutex);
    status = threads->store.put(generation, rank, key, std::move(value));
  }
  threads->changed.notify_all();
  return status.release();
}

muster_status* get(muster_world* world, uint32_t from_rank, const char* key, uint64_t deadline_ns,
                   muster_bytes_sink sink, void* context) {
  auto& [threads, rank, generation] = of(world);
  KeyStore::Value value;
  {
    std::unique_lock lock(threads->mutex);
    while (true) {
      Result<KeyStore::Value> found = threads->store.get(generation, from_rank, key);
      if (!found.ok()) return found.take_status().release();
      value = std::move(*found);
      if (value != nullptr) break;
      if (deadline_passed(deadline_ns)) {
        return Status(MUSTER_DEADLINE_EXCEEDED,
                      fmt::format("thread rank {} has not given '{}' in time", from_rank, key),
                      "see whether that thread makes the same call (at first muster_init), or is "
                      "stuck before "
                      "it")
            .release();
      }
      threads->changed.wait_until(lock, deadline_point(deadline_ns));
    }
  }
  sink(context, from_rank, value->data(), value->size());
  return nullptr;
}

void close(muster_world* world, uint64_t) {
  if (world == nullptr) return;
  auto& [threads, rank, generation] = of(world);
  {
    // Notified under the lock: the program may release the world as soon as the last rank is out.
    std::lock_guard lock(threads->mutex);
    threads->store.leave(generation, rank);
    threads->changed.notify_all();
  }
  delete &of(world);
}

}  // namespace

Result<muster_threads*> threads_create(uint32_t size) {
  if (size == 0) {
    return Status(MUSTER_INVALID_ARGUMENT, "a world of threads with 0 ranks",
                  "give the number of threads that will join");
  }
  return new muster_threads(size);
}

void threads_destroy(muster_threads* world) { delete world; }

uint32_t threads_size(const muster_threads* world) { return world->store.size(); }

size_t threads_held(muster_threads* world) {
  const std::lock_guard lock(world->mutex);
  return world->store.held();
}

const muster_bootstrap* threads_bootstrap() {
  static const muster_bootstrap table = {.struct_size = MUSTER_BOOTSTRAP_SIZE,
                                         .priority = 0,
                                         .name = "threads",
                                         .available = available,
                                         .open = open,
                                         .rank = rank,
                                         .size = size,
                                         .put = put,
                                         .get = get,
                                         .all_gather = nullptr,
                                         .close = close};
  return &table;
}

}  // namespace muster

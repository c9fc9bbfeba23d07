#include "plugins/backends/mpi/bootstrap.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "plugins/backends/mpi/backend.hpp"
#include "plugins/backends/mpi/gathering.hpp"
#include "plugins/backends/mpi/library.hpp"
#include "plugins/backends/mpi/process.hpp"
#include "plugins/backends/mpi/wait.hpp"

namespace muster::mpi {
namespace {

struct World {
  const muster_host* host;
  MPI_Comm comm = MPI_COMM_NULL;
  uint32_t rank = 0;
  uint32_t size = 0;
  std::atomic<bool> broken{false};  // messages are under way that nobody will take
};

World* world_of(muster_world* world) { return reinterpret_cast<World*>(world); }

uint32_t available(muster_instance*) {
  switch (phase()) {
    case Phase::kBefore:
      return launched() ? 1 : 0;
    case Phase::kLive:
      return 1;
    default:
      return 0;
  }
}

void join(World& world, uint64_t deadline_ns) {
  initialise();
  MPI_Request request = MPI_REQUEST_NULL;
  int rank = 0;
  int size = 0;
  {
    Serial serial;
    ErrorsReturned returned(MPI_COMM_WORLD);
    check(library.Comm_rank(MPI_COMM_WORLD, &rank), "MPI_Comm_rank");
    check(library.Comm_size(MPI_COMM_WORLD, &size), "MPI_Comm_size");
    check(library.Comm_idup(MPI_COMM_WORLD, &world.comm, &request), "MPI_Comm_idup");
  }
  const bool joined = poll_until(world.host->now_ns, deadline_ns, [&] {
    int done = 0;
    Serial serial;
    check(library.Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Comm_idup");
    return done != 0;
  });
  if (!joined) {
    plugin::fail(MUSTER_DEADLINE_EXCEEDED,
                 "rank " + std::to_string(rank) + " of " + std::to_string(size) +
                     " in MPI_COMM_WORLD waited in vain for the other ones to join",
                 "make the runtime on every rank of the MPI job");
  }
  Serial serial;
  check(library.Comm_set_errhandler(world.comm, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  world.rank = static_cast<uint32_t>(rank);
  world.size = static_cast<uint32_t>(size);
}

muster_status* open(muster_instance* instance, uint64_t deadline_ns, muster_world** out) {
  const muster_host* host = plugin::detail::Tables<Backend, Group>::instance_of(instance)->host;
  return plugin::guard(host, [&] {
    // MPI writes world.comm when the duplication ends, which may be after a failure here.
    auto world = std::make_unique<World>();
    world->host = host;
    try {
      join(*world, deadline_ns);
    } catch (...) {
      static auto& unfinished = *new std::vector<std::unique_ptr<World>>;
      unfinished.push_back(std::move(world));
      throw;
    }
    *out = reinterpret_cast<muster_world*>(world.release());
  });
}

uint32_t rank(muster_world* world) { return world_of(world)->rank; }
uint32_t size(muster_world* world) { return world_of(world)->size; }

muster_status* all_gather(muster_world* handle, const uint32_t* ranks, uint32_t count, uint64_t tag,
                          const void* data, uint64_t bytes, uint64_t deadline_ns,
                          muster_bytes_sink sink, void* context) {
  World& world = *world_of(handle);
  return plugin::guard(world.host, [&] {
    if (!live()) {
      plugin::fail(MUSTER_FAILED_PRECONDITION, "the world outlived MPI_Finalize",
                   "end the runtime before MPI_Finalize");
    }
    Gathering gathering(world.comm, world.rank, {ranks, ranks + count}, tag);
    gathering.start(data, bytes);
    bool complete = false;
    try {
      complete = poll_until(world.host->now_ns, deadline_ns, [&] { return gathering.progress(); });
    } catch (...) {
      world.broken.store(true);
      gathering.abandon();
      throw;
    }
    if (!complete) {
      const std::string missing = gathering.missing();
      world.broken.store(true);
      gathering.abandon();
      plugin::fail(MUSTER_DEADLINE_EXCEEDED, "waited in vain for world rank " + missing,
                   "see what that rank does instead, or raise the timeout");
    }
    for (uint32_t i = 0; i < count; ++i) {
      const std::vector<unsigned char>& part = gathering.part(i);
      sink(context, i, part.data(), part.size());
    }
  });
}

void close(muster_world* handle, uint64_t) {
  std::unique_ptr<World> world(world_of(handle));
  if (world == nullptr || world->broken.load() || !live()) return;
  Serial serial;
  library.Comm_free(&world->comm);
}

const muster_bootstrap kTable = {MUSTER_BOOTSTRAP_SIZE,
                                 20,
                                 "mpi",
                                 available,
                                 open,
                                 rank,
                                 size,
                                 nullptr,
                                 nullptr,
                                 all_gather,
                                 close};

}  // namespace

const muster_bootstrap* bootstrap_table() { return &kTable; }

}  // namespace muster::mpi

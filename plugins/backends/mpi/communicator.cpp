#include "plugins/backends/mpi/communicator.hpp"

#include <mutex>

namespace muster::mpi {
namespace {

using plugin::fail;

// What peers may still write to, until the process ends.
void keep_for_ever(std::shared_ptr<void> memory) {
  static std::mutex mutex;
  static auto& kept = *new std::vector<std::shared_ptr<void>>;
  std::lock_guard<std::mutex> lock(mutex);
  kept.push_back(std::move(memory));
}

std::string name_of(const plugin::Group& group) { return group.info().name; }

// One rank's word in connect.
struct Report {
  int32_t world_rank;
  uint32_t problem;
};
constexpr std::array<const char*, 5> kProblems = {
    "", "has not initialised MPI", "gave no number or a null communicator as adopt_comm",
    "adopts a communicator of another size", "has another rank in the adopted communicator"};

}  // namespace

Communicator::Communicator(plugin::Group group)
    : group_(group),
      wait_(group_, aborted_),
      limit_(group.integer_option("max_count")),
      held_(std::make_unique<Held>()) {}

Communicator::~Communicator() {
  if (broken_) {
    keep_for_ever(std::shared_ptr<Held>(std::move(held_)));
    return;
  }
  if (held_->comm == MPI_COMM_NULL || !live()) return;
  Serial serial;
  // Collective by the standard's letter; Open MPI's waits for nobody.
  library.Comm_free(&held_->comm);
}

void Communicator::require_usable() const {
  if (!live()) {
    fail(MUSTER_FAILED_PRECONDITION, "group " + name_of(group_) + " outlived MPI_Finalize",
         "destroy groups before MPI_Finalize");
  }
  if (broken_) {
    fail(MUSTER_FAILED_PRECONDITION,
         "an earlier call of group " + name_of(group_) +
             " failed half-way, and MPI cannot take a started call back",
         "make a new group");
  }
}

MPI_Comm Communicator::adopted() const {
  const std::string text = group_.option("adopt_comm");
  try {
    size_t used = 0;
    const unsigned long long value = std::stoull(text, &used, 0);
    if (used != text.size()) return MPI_COMM_NULL;
    return reinterpret_cast<MPI_Comm>(static_cast<uintptr_t>(value));
  } catch (const std::exception&) {
    return MPI_COMM_NULL;
  }
}

void Communicator::connect() {
  const bool adopt = !group_.option("adopt_comm").empty();
  Report mine{-1, 0};
  MPI_Comm from = MPI_COMM_NULL;
  if (!live()) {
    mine.problem = 1;
  } else if (adopt) {
    from = adopted();
    int size = 0;
    int rank = 0;
    if (from == nullptr || from == MPI_COMM_NULL) {
      mine.problem = 2;
    } else {
      Serial serial;
      ErrorsReturned returned(from);
      check(library.Comm_size(from, &size), "MPI_Comm_size");
      check(library.Comm_rank(from, &rank), "MPI_Comm_rank");
      if (static_cast<uint32_t>(size) != group_.size()) {
        mine.problem = 3;
      } else if (static_cast<uint32_t>(rank) != group_.rank()) {
        mine.problem = 4;
      }
    }
  } else {
    Serial serial;
    check(library.Comm_rank(MPI_COMM_WORLD, &mine.world_rank), "MPI_Comm_rank");
  }

  Making making;
  std::vector<Report> all(group_.size());
  group_.all_gather(&mine, sizeof(mine), all.data());
  for (uint32_t rank = 0; rank < group_.size(); ++rank) {
    if (all[rank].problem == 0) continue;
    fail(MUSTER_FAILED_PRECONDITION,
         "rank " + std::to_string(rank) + " of group " + name_of(group_) + " " +
             kProblems.at(all[rank].problem),
         adopt ? "give every rank its handle of one MPI_Comm, ranked like the group"
               : "call MPI_Init first, or bootstrap through mpi");
  }
  // MPI makes communicators in a blocking call only. A rank whose patience ended in the first
  // exchange does not come to this one, and then nobody enters that call.
  std::vector<Report> again(group_.size());
  group_.all_gather(&mine, sizeof(mine), again.data());
  if (adopt) {
    duplicate(from);
  } else {
    std::vector<int> ranks;
    ranks.reserve(all.size());
    for (const Report& report : all) ranks.push_back(report.world_rank);
    Serial serial;
    ErrorsReturned returned(MPI_COMM_WORLD);
    MPI_Group world = MPI_GROUP_NULL;
    MPI_Group members = MPI_GROUP_NULL;
    check(library.Comm_group(MPI_COMM_WORLD, &world), "MPI_Comm_group");
    int code = library.Group_incl(world, static_cast<int>(ranks.size()), ranks.data(), &members);
    library.Group_free(&world);
    check(code, "MPI_Group_incl");
    code = library.Comm_create_group(MPI_COMM_WORLD, members, fold_tag(group_.info().tag),
                                     &held_->comm);
    library.Group_free(&members);
    check(code, "MPI_Comm_create_group");
  }
  Serial serial;
  check(library.Comm_set_errhandler(held_->comm, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
}

void Communicator::duplicate(MPI_Comm from) {
  collective("MPI_Comm_idup", [&](MPI_Request* request) {
    ErrorsReturned returned(from);
    return library.Comm_idup(from, &held_->comm, request);
  });
}

void* Communicator::scratch(size_t slot, uint64_t bytes) {
  std::vector<unsigned char>& memory = held_->scratch.at(slot);
  if (memory.size() < bytes) {
    memory.clear();
    memory.shrink_to_fit();
    memory.resize(bytes);
  }
  return memory.data();
}

}  // namespace muster::mpi

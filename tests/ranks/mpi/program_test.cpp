// What a program that uses MPI itself expects: its communicators can be adopted, and its
// MPI_Finalize is survived.
#include <gtest/gtest.h>
#include <mpi.h>

#include "tests/ranks/mpi/session.hpp"

namespace muster::testing {
namespace {

muster_call barrier() {
  muster_call call{};
  call.struct_size = MUSTER_CALL_SIZE;
  call.op = MUSTER_BARRIER;
  return call;
}

std::string handle(MPI_Comm comm) { return std::to_string(reinterpret_cast<uintptr_t>(comm)); }

GroupOptions adopting(const std::string& text) {
  GroupOptions options;
  options.values["adopt_comm"] = text;
  return options;
}

TEST(Program, FindsItsErrorHandlerUnchanged) {
  MPI_Errhandler handler = MPI_ERRHANDLER_NULL;
  const auto group = session().group();
  MPI_Comm_get_errhandler(MPI_COMM_WORLD, &handler);
  EXPECT_EQ(handler, MPI_ERRORS_ARE_FATAL);
  MPI_Errhandler_free(&handler);
}

TEST(Program, LendsItsCommunicator) {
  MPI_Comm own = MPI_COMM_NULL;
  MPI_Comm_dup(MPI_COMM_WORLD, &own);
  {
    const auto group = session().group(adopting(handle(own)));
    ASSERT_TRUE(group->connected().ok()) << group->connected().cause;
    // The plugin works on a duplicate: the program's messages are its own.
    EXPECT_TRUE(group->execute(barrier()).ok());
  }
  EXPECT_EQ(MPI_Barrier(own), MPI_SUCCESS);
  MPI_Comm_free(&own);
}

TEST(Program, IsToldWhyACommunicatorDoesNotFit) {
  const auto refused = [](const std::string& text) {
    const auto group = session().group(adopting(text));
    EXPECT_EQ(group->connected().code, static_cast<muster_code>(MUSTER_FAILED_PRECONDITION));
    return group->connected().cause;
  };
  EXPECT_NE(refused(handle(MPI_COMM_SELF)).find("another size"), std::string::npos);
  EXPECT_NE(refused("nonsense").find("no number"), std::string::npos);
  EXPECT_NE(refused(handle(MPI_COMM_NULL)).find("null communicator"), std::string::npos);
  MPI_Comm reversed = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, 0, -static_cast<int>(session().world->rank()), &reversed);
  EXPECT_NE(refused(handle(reversed)).find("another rank"), std::string::npos);
  MPI_Comm_free(&reversed);
}

// Runs alone: there is no MPI after it.
TEST(ProgramEnd, OutlivedByAGroupOnlyRefusesCalls) {
  const auto group = session().group();
  ASSERT_TRUE(group->connected().ok()) << group->connected().cause;
  EXPECT_TRUE(group->execute(barrier()).ok());
  MPI_Finalize();
  const Outcome outcome = group->execute(barrier());
  EXPECT_EQ(outcome.code, static_cast<muster_code>(MUSTER_FAILED_PRECONDITION)) << outcome.cause;
  group->destroy();
  std::vector<std::string> parts;
  EXPECT_EQ(session().world->all_gather(session().world->everybody(), 1, "", parts).code,
            static_cast<muster_code>(MUSTER_FAILED_PRECONDITION));
  EXPECT_EQ(session().plugin->bootstrap().available(session().plugin->instance()), 0u);
  EXPECT_EQ(World(*session().plugin).opened().code,
            static_cast<muster_code>(MUSTER_FAILED_PRECONDITION));
  EXPECT_EQ(session().plugin->probe().count("mpi.rank"), 0u);
}

}  // namespace
}  // namespace muster::testing

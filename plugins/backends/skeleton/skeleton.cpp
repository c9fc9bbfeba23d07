// A backend that declines everything: the thing to clone. README.md beside this file says how.
//
// What the slots of muster/backend.h become in C++: every function below may throw; plugin.hpp
// turns what leaves it into a status. fail(code, cause, remedy) gives a failure its code. Nothing
// here knows of libmuster: all that a plugin may use of the runtime is in muster/host.h.
#include <memory>

#include "muster/plugin.hpp"

namespace {

using muster::plugin::fail;

// One rank's part of one group. Everything that belongs to a rank lives here or in the backend,
// never in a global: several ranks may be threads of this process.
class SkeletonGroup {
 public:
  // group_prepare made it: memory, file descriptors, own ids. Must not wait for another rank.
  explicit SkeletonGroup(muster::plugin::Group group) : group_(group) {}

  // group_destroy: releases what prepare and connect made, connected or not. Waits for nobody.
  ~SkeletonGroup() = default;

  SkeletonGroup(const SkeletonGroup&) = delete;
  SkeletonGroup& operator=(const SkeletonGroup&) = delete;

  // Joins the parts of all ranks, by group_.all_gather, broadcast (an opaque id of any length) and
  // exchange_fds (shared memory). A failure of any rank leaves the backend out on all.
  void connect() {}

  // Carries out one call that a rule of offer() took. It may not decline any more: other ranks may
  // already be inside. Wait for other ranks by group_.wait only; it ends when a peer dies.
  void execute(const muster_call& call) {
    fail(MUSTER_INTERNAL,
         "skeleton was called in group " + std::string(group_.info().name) +
             " for operation number " + std::to_string(call.op) + ", which it never offers",
         "report this to the authors of muster");
  }

  // The further slots are offered as soon as a member of this name exists:
  //   muster_request* start(const muster_call& call);       begin a host call and return
  //   bool test(muster_request* request);                   progress it; true: over, freed
  //   void execute_batch(const muster_call* calls, uint32_t count);
  //   void* memory_register(void* pointer, uint64_t bytes, muster_memory memory);
  //   void memory_deregister(void* registration) noexcept;
  //   void capture_begin(muster_phase phase);               the group enters a graph phase
  //   void capture_end(bool ok);
  //   void async_error();                                   throws what happened after execute
  //   void abort() noexcept;                                ends every wait of this rank soon

 private:
  muster::plugin::Group group_;
};

// One opened plugin in one runtime.
class SkeletonBackend {
 public:
  // 0 to 100, compared with other backends' when the configuration does not say.
  static constexpr int32_t kPriority = 0;
  // What [backend.skeleton] options = { ... } may hold, checked before anything here sees it.
  static constexpr muster_option kOptions[] = {
      muster::plugin::option("limit", MUSTER_OPTION_BYTES, "1048576",
                             "largest call that would be offered", 0, int64_t{1} << 40),
  };

  // Loads nothing slow, starts no thread, touches no device.
  explicit SkeletonBackend(muster::plugin::Host host) : host_(host) {}

  // Looks at this machine: pure, no device context, no communication. What it puts is exchanged
  // with all ranks. fail(MUSTER_UNAVAILABLE, ...) when nothing here can serve.
  void probe(muster::plugin::Facts facts) { facts.put("limit", host_.option("limit")); }

  // Which calls it would take for the described group: a pure function of the query. A backend that
  // serves would say, for calls up to its limit within one machine:
  //   muster_rule rule = muster::plugin::rule("ring", MUSTER_BIT(MUSTER_ALL_REDUCE));
  //   rule.dtypes = MUSTER_BIT(MUSTER_F32);
  //   rule.redops = MUSTER_BIT(MUSTER_SUM);
  //   rule.bytes_to = std::stoull(query.option("limit"));
  //   rule.determinism = MUSTER_RUN_TO_RUN;
  //   query.add(rule);
  void offer(muster::plugin::Query query) {
    query.decline("the skeleton serves nothing; it is there to be cloned");
  }

  std::unique_ptr<SkeletonGroup> prepare(muster::plugin::Group group) {
    return std::make_unique<SkeletonGroup>(group);
  }

 private:
  muster::plugin::Host host_;
};

}  // namespace

// Backend, group, id, version, vendor; then the environment variables and the files whose change
// makes a cached probe stale, separated by spaces.
MUSTER_PLUGIN(SkeletonBackend, SkeletonGroup, "skeleton", "0.1.0", "muster", "", "");

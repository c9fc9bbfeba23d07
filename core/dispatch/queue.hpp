// The first-in-first-out of one group's started calls.
//
// A call of a backend with start/test begins at once and is progressed by the thread that tests or
// waits; a backend that only blocks gets a thread on first use. Both kinds are never outstanding
// together, so calls begin in the order in which they were given and the group is only ever used by
// one thread. Blocking calls join behind what is outstanding, and go direct when nothing is.
#ifndef MUSTER_CORE_DISPATCH_QUEUE_HPP
#define MUSTER_CORE_DISPATCH_QUEUE_HPP

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "core/base/status.hpp"
#include "core/dispatch/group.hpp"
#include "muster/muster.h"

struct muster_work {
  muster_group* group = nullptr;
  muster_call call{};
  bool done = false;  // under the queue's mutex for calls of the thread, else of the group's thread
  muster::Status failure;  // once done; every test and wait from then on gives a copy
  // of backends with start/test
  const muster::LiveBackend* backend = nullptr;
  muster_request* request = nullptr;
};

namespace muster {

class CallQueue {
 public:
  explicit CallQueue(muster_group& group) : group_(group) {}
  ~CallQueue();

  // Begins a prepared call. The work is the caller's.
  void start(muster_work* work);
  // Looks once / until it is done, the group is aborted, or its time is over.
  bool test(muster_work* work);
  void wait(muster_work* work);
  // Waits until nothing is outstanding, and takes the group's queue attention away.
  void drain();

 private:
  Status ensure_thread();
  void run_thread();
  bool progress(muster_work* work);
  void wait_for_backend(muster_work* work);
  bool give_up_if_aborted(muster_work* work);
  void give_up(muster_work* work, Status why);

  muster_group& group_;
  std::vector<muster_work*> started_;  // by backends with start/test; the group's thread only
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<muster_work*> waiting_;
  bool running_ = false;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace muster

#endif

// The runtime's side as a guarded plugin sees it: every function is passed on, after a look at the
// place that it is called from.
//
// The table lies at the front of what it is made for, so that a function finds the real host: its
// muster_host* is a CheckedHost*. Any thread.
#ifndef MUSTER_TESTS_KIT_CHECK_CHECKED_HOST_HPP
#define MUSTER_TESTS_KIT_CHECK_CHECKED_HOST_HPP

#include "muster/backend.h"
#include "muster/host.h"

namespace muster::check {

struct CheckedHost {
  explicit CheckedHost(const muster_host* host);
  muster_host table;
  const muster_host* real;
};

// The same for what probe and offer get; valid as long as the call.
struct CheckedSink {
  explicit CheckedSink(const muster_fact_sink* sink);
  muster_fact_sink table;
  const muster_fact_sink* real;
};
struct CheckedQuery {
  explicit CheckedQuery(const muster_offer_query* query);
  muster_offer_query table;
  const muster_offer_query* real;
};

}  // namespace muster::check

#endif

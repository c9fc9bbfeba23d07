// What the tests of dispatch share: groups of mocks on ranks that are threads.
#ifndef MUSTER_TESTS_UNIT_DISPATCH_MOCKED_GROUP_HPP
#define MUSTER_TESTS_UNIT_DISPATCH_MOCKED_GROUP_HPP

#include <functional>

#include "tests/unit/agree/recorder.hpp"

namespace muster::testing {

// Runs a body with a group over the whole world of `ranks` threads that the mock serves.
inline void with_group(uint32_t ranks, const MockBackend& mock,
                       const std::function<void(api::Group&)>& body,
                       const api::GroupOptions& options = {}) {
  World(ranks).with(mock).run([&](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime, options);
    body(group);
  });
}

inline muster_call all_reduce_of(const void* send, void* recv, uint64_t count,
                                 muster_dtype dtype = MUSTER_I32) {
  muster_call call = muster_call_init(MUSTER_ALL_REDUCE, dtype);
  call.redop = MUSTER_SUM;
  call.send = send;
  call.recv = recv;
  call.count = count;
  return call;
}

// Memory of the calls of which only the arguments matter.
inline int data[256];
inline muster_call reduce_of(uint64_t count) { return all_reduce_of(data, data + 32, count); }

}  // namespace muster::testing

#endif

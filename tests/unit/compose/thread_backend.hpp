// A mock that offers whatever a test lets it, and which operations it has carried out; and the
// reference of compositions, over the runtime's own kernels.
//
// Thread rule and lifetime: those of MockBackend.
#ifndef MUSTER_TESTS_UNIT_COMPOSE_THREAD_BACKEND_HPP
#define MUSTER_TESTS_UNIT_COMPOSE_THREAD_BACKEND_HPP

#include <string>
#include <utility>
#include <vector>

#include "core/kernels/registry.hpp"
#include "muster/testing/collective.hpp"
#include "muster/testing/mock_backend.hpp"

namespace muster::testing {

// Of the fused operation the runtime's own kernels are the definition.
inline std::vector<Piece> result_of(const std::vector<const muster_call*>& calls, uint32_t rank) {
  return result_of(calls, rank, [](const char* family, muster_dtype dtype, muster_redop redop) {
    muster_kernel_key key{};
    key.struct_size = MUSTER_KERNEL_KEY_SIZE;
    key.dtype = dtype;
    key.redop = redop;
    key.family = family;
    return find_kernel(key);
  });
}

class ThreadBackend {
 public:
  // Offers these rules only.
  explicit ThreadBackend(const std::string& id, std::vector<muster_rule> rules,
                         int32_t priority = 50)
      : mock_(id, priority) {
    mock_.offers(std::move(rules));
  }

  MockBackend& mock() { return mock_; }
  // The operations that reached the backend on rank 0, in order.
  std::vector<muster_op> seen() const {
    std::vector<muster_op> ops;
    for (const RecordedCall& call : mock_.calls_of(0)) ops.push_back(call.call.op);
    return ops;
  }
  void forget() { mock_.forget_calls(); }

 private:
  MockBackend mock_;
};

}  // namespace muster::testing

#endif

#include "tests/bench/peers/data.hpp"

#include <algorithm>
#include <cstring>

namespace muster::peers {
namespace {

bool starts(const PeerCall& call, std::string_view name) { return call.op.starts_with(name); }

// Small, so that every result is exact.
uint64_t value(uint32_t rank, uint64_t index) {
  return 1 + (rank + (index * 0x9E3779B97F4A7C15ull >> 33)) % 3;
}

}  // namespace

Data::Data(PeerCall& call, uint32_t rank, uint32_t size) : call_(call), rank_(rank), size_(size) {
  const bool gathers = starts(call, "all_gather") || starts(call, "gather");
  const bool scatters = starts(call, "reduce_scatter") || starts(call, "scatter");
  const bool exchanges = starts(call, "all_to_all");
  sent_ = call.count * (scatters || exchanges ? size : 1);
  received_ = call.count * (gathers || exchanges ? size : 1);
  recv_ = cli::PageMemory(std::max(sent_, received_) * call.element);
  call.recv = recv_.data();
  // Peers broadcast in place.
  if (call.in_place || call.op == "broadcast") {
    call.send = recv_.data() + (gathers ? rank * call.count * call.element : 0);
  } else {
    send_ = cli::PageMemory(sent_ * call.element);
    call.send = send_.data();
  }
}

void Data::fill() {
  std::memset(call_.recv, 0x5a, received_ * call_.element);
  with_type(call_.dtype, [&](auto zero) {
    auto* const values = static_cast<decltype(zero)*>(call_.send);
    for (uint64_t i = 0; i < sent_; ++i) {
      values[i] = static_cast<decltype(zero)>(value(rank_, i));
    }
  });
}

uint64_t Data::count_wrong() const {
  const bool on_root = call_.op == "reduce" || call_.op == "gather";
  if ((on_root && rank_ != 0) || call_.op == "barrier") return 0;
  return with_type(call_.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto right = [&](uint64_t i) -> T {
      const uint64_t mine = rank_ * call_.count;
      if (call_.op == "broadcast") return static_cast<T>(value(0, i));
      if (call_.op == "scatter") return static_cast<T>(value(0, mine + i));
      if (call_.op == "send_recv") return static_cast<T>(value((rank_ + size_ - 1) % size_, i));
      const auto from = static_cast<uint32_t>(i / call_.count);
      if (starts(call_, "all_gather") || call_.op == "gather") {
        return static_cast<T>(value(from, i % call_.count));
      }
      if (call_.op == "all_to_all") return static_cast<T>(value(from, mine + i % call_.count));
      const uint64_t at = call_.op == "reduce_scatter" ? mine + i : i;
      T result = static_cast<T>(value(0, at));
      for (uint32_t r = 1; r < size_; ++r) {
        result = combine(call_.redop, result, static_cast<T>(value(r, at)));
      }
      return result;
    };
    const T* const got = static_cast<const T*>(call_.recv);
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < received_; ++i) wrong += got[i] != right(i) ? 1 : 0;
    return wrong;
  });
}

}  // namespace muster::peers

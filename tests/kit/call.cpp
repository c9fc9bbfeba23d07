#include "muster/testing/call.hpp"

#include <algorithm>

#include "muster/names.h"

namespace muster::testing {
namespace {

std::string shown(uint64_t number) { return std::to_string(number); }
std::string shown(const void* pointer) { return ::testing::PrintToString(pointer); }

// Collects what is wanted, or what differs from it.
class Differences {
 public:
  template <typename Value, typename Show>
  void field(const char* name, const std::optional<Value>& wanted, const Value& got, Show&& show) {
    if (!wanted || *wanted == got) return;
    add(std::string(name) + " is " + std::string(show(got)) + ", wanted " +
        std::string(show(*wanted)));
  }
  void add(const std::string& text) { text_ += (text_.empty() ? "" : "; ") + text; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

constexpr auto number = [](uint64_t value) { return shown(value); };
constexpr auto address = [](const void* value) { return shown(value); };
constexpr auto truth = [](bool value) { return value ? "yes" : "no"; };

bool has_root(muster_op op) {
  return op == MUSTER_REDUCE || op == MUSTER_BROADCAST || op == MUSTER_GATHER ||
         op == MUSTER_GATHERV || op == MUSTER_SCATTER || op == MUSTER_SCATTERV;
}

}  // namespace

std::string text_of(const muster_call& call) {
  std::string inside;
  const auto add = [&](const std::string& text) { inside += (inside.empty() ? "" : ", ") + text; };
  if (call.redop != MUSTER_REDOP_NONE) add(muster_redop_name(call.redop));
  if (call.dtype != MUSTER_DTYPE_NONE) {
    add(shown(call.count) + " of " + muster_dtype_name(call.dtype));
  }
  if (has_root(call.op)) add("root " + shown(call.root));
  if (call.op == MUSTER_SEND || call.op == MUSTER_SEND_RECV) add("to " + shown(call.peer));
  if (call.op == MUSTER_RECV) add("from " + shown(call.peer));
  if (call.op == MUSTER_SEND_RECV) add("from " + shown(call.recv_peer));
  if ((call.flags & MUSTER_CALL_IN_PLACE) != 0) add("in place");
  if (call.phase != MUSTER_EAGER) add(muster_phase_name(call.phase));
  return std::string(muster_op_name(call.op)) + "(" + inside + ")";
}

std::string Call::difference_of(const muster_call& call) const {
  Differences found;
  found.field<muster_op>("operation", op_, call.op, muster_op_name);
  found.field("dtype", dtype_, call.dtype, muster_dtype_name);
  found.field("redop", redop_, call.redop, muster_redop_name);
  found.field("count", count_, call.count, number);
  found.field("root", root_, call.root, number);
  found.field("peer", peer_, call.peer, number);
  found.field("recv_peer", recv_peer_, call.recv_peer, number);
  found.field("phase", phase_, call.phase, muster_phase_name);
  found.field("in_place", in_place_, (call.flags & MUSTER_CALL_IN_PLACE) != 0, truth);
  found.field("send", send_, call.send, address);
  found.field<const void*>("recv", recv_, call.recv, address);
  return found.text();
}

std::string Call::text() const {
  std::string inside;
  const auto add = [&](const char* name, const auto& wanted, auto&& show) {
    if (wanted) {
      inside +=
          (inside.empty() ? "" : ", ") + (std::string(name) + " " + std::string(show(*wanted)));
    }
  };
  add("dtype", dtype_, muster_dtype_name);
  add("redop", redop_, muster_redop_name);
  add("count", count_, number);
  add("root", root_, number);
  add("peer", peer_, number);
  add("recv_peer", recv_peer_, number);
  add("phase", phase_, muster_phase_name);
  add("in_place", in_place_, truth);
  add("send", send_, address);
  add("recv", recv_, address);
  return std::string(muster_op_name(op_)) + (inside.empty() ? "" : " with " + inside);
}

bool Call::MatchAndExplain(const muster_call& call, std::ostream* out) const {
  const std::string difference = difference_of(call);
  if (out != nullptr) *out << difference;
  return difference.empty();
}

bool Call::MatchAndExplain(const RecordedCall& call, std::ostream* out) const {
  const std::string difference = difference_of(call.call);
  if (out != nullptr && !difference.empty()) *out << "rank " << call.rank << ": " << difference;
  return difference.empty();
}

bool Calls::MatchAndExplain(const std::vector<RecordedCall>& calls, std::ostream* out) const {
  std::string found;
  for (size_t i = 0; i < std::min(calls.size(), wanted_.size()) && found.empty(); ++i) {
    const std::string difference = wanted_[i].difference_of(calls[i].call);
    if (difference.empty()) continue;
    found = "rank " + shown(calls[i].rank) + ", call " + shown(i) + ": " + difference;
  }
  if (found.empty() && calls.size() > wanted_.size()) {
    const RecordedCall& more = calls[wanted_.size()];
    found = "rank " + shown(more.rank) + " made " + shown(calls.size()) + " calls, wanted " +
            shown(wanted_.size()) + "; the first too many is " + text_of(more.call);
  } else if (found.empty() && calls.size() < wanted_.size()) {
    found = shown(calls.size()) + " calls were made, wanted " + shown(wanted_.size()) +
            "; the first that is missing is " + wanted_[calls.size()].text();
  }
  if (out != nullptr) *out << found;
  return found.empty();
}

void Calls::DescribeTo(std::ostream* out) const {
  *out << "is, in this order:";
  for (const Call& call : wanted_) *out << "\n  " << call.text();
}

void Calls::DescribeNegationTo(std::ostream* out) const {
  *out << "not: ";
  DescribeTo(out);
}

void PrintTo(const RecordedCall& call, std::ostream* out) {
  *out << call.slot << " " << text_of(call.call) << " on rank " << call.rank << " of "
       << call.group;
}

}  // namespace muster::testing

void PrintTo(const muster_call& call, std::ostream* out) { *out << muster::testing::text_of(call); }

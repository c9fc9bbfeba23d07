#include "core/tensors/vote.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/tensors/bytes.hpp"
#include "core/tensors/group_call.hpp"

namespace muster {
namespace {

constexpr size_t kTextBytes = 2048;  // per rank
constexpr int kShown = 4;            // ranks

struct Ballot {
  uint64_t code;
  uint64_t text_bytes;
  Digest alike;
};

Status gather(muster_group& group, const void* mine, void* all, uint64_t bytes) {
  return call_group(group, host_call(MUSTER_ALL_GATHER, mine, all, bytes));
}

Status combine(const std::vector<Ballot>& ballots, const std::string& texts, uint64_t room) {
  muster_code code = MUSTER_OK;
  std::string causes;
  std::string remedy;
  int noes = 0;
  for (size_t r = 0; r < ballots.size(); ++r) {
    if (ballots[r].code == MUSTER_OK) continue;
    const Status failure =
        unpack_failure(static_cast<muster_code>(ballots[r].code),
                       texts.substr(r * room, ballots[r].text_bytes), fmt::format("rank {}", r));
    // That ranks disagree says more than what else befell one of them.
    if (code == MUSTER_OK || failure.code() == MUSTER_MISMATCH) code = failure.code();
    if (remedy.empty()) remedy = failure.remedy();
    if (noes++ < kShown) causes += (causes.empty() ? "" : "; ") + failure.cause();
  }
  if (noes > kShown) causes += fmt::format("; and {} more ranks", noes - kShown);
  return Status(code, causes, remedy);
}

}  // namespace

Status vote(muster_group& group, const Status& own, const Digest& alike, const char* what) {
  std::string text = own.ok() ? std::string() : pack_failure(own);
  text.resize(std::min(text.size(), kTextBytes));
  const Ballot mine{own.code(), text.size(), alike};
  std::vector<Ballot> ballots(group.size);
  MUSTER_TRY(gather(group, &mine, ballots.data(), sizeof(mine)));
  const bool unanimous = std::all_of(ballots.begin(), ballots.end(),
                                     [](const Ballot& b) { return b.code == MUSTER_OK; });
  if (!unanimous) {
    uint64_t room = 1;
    for (const Ballot& ballot : ballots)
      room = std::max<uint64_t>(room, std::min<uint64_t>(ballot.text_bytes, kTextBytes));
    text.resize(room);
    std::string texts(room * group.size, '\0');
    MUSTER_TRY(gather(group, text.data(), texts.data(), room));
    return combine(ballots, texts, room);
  }
  std::string differing;
  for (uint32_t r = 1; r < group.size; ++r) {
    if (ballots[r].alike != ballots[0].alike)
      differing += fmt::format("{}{}", differing.empty() ? "" : ", ", r);
  }
  if (differing.empty()) return Status();
  return Status(MUSTER_MISMATCH,
                fmt::format("{} of ranks {} differ from those of rank 0", what, differing),
                "they must be alike on every rank of the group");
}

}  // namespace muster

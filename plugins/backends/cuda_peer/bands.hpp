// Which algorithm serves which size: the one place that chooses. offer states it as size bands,
// execute follows it. Equal on all ranks: options are part of what the ranks agree on.
#ifndef MUSTER_PLUGINS_CUDA_PEER_BANDS_HPP
#define MUSTER_PLUGINS_CUDA_PEER_BANDS_HPP

#include <array>
#include <cstdint>
#include <string>

#include "muster/types.h"

namespace muster::cuda_peer {

enum class Algorithm { kOneShotPush, kTwoShotPush, kStaged, kOneShotPull };
const char* algorithm_name(Algorithm algorithm);

// The largest size of each way, inclusive; 0: never. Larger ones go in stages.
struct Band {
  uint64_t one_shot = 0;
  uint64_t two_shot = 0;
  // Of calls whose buffers all ranks know: what goes in stages from here on, because results are
  // stored where they belong; 0: as others. And what is pulled, which goes before; to 0: nothing.
  uint64_t direct_from = 0;
  uint64_t pull_from = 0;
  uint64_t pull_to = 0;

  Algorithm of(uint64_t bytes) const {
    if (bytes <= one_shot) return Algorithm::kOneShotPush;
    return bytes <= two_shot ? Algorithm::kTwoShotPush : Algorithm::kStaged;
  }
  // pullable: whether the call's layout allows it.
  Algorithm of_known(uint64_t bytes, bool pullable) const {
    if (pullable && bytes >= pull_from && bytes <= pull_to) return Algorithm::kOneShotPull;
    if (direct_from != 0 && bytes >= direct_from) return Algorithm::kStaged;
    return of(bytes);
  }
};

class Bands {
 public:
  // tuned: "all_reduce/2=4194304,all_reduce/8=262144:2097152:0:65536:1048576": operation, ranks,
  // and the limits as a Band has them, of which the first is enough; goes before bands.def and is
  // for groups of just that size. Without the second there are no two shots, others stay as they
  // are. forced: "" or the name of an algorithm for all sizes. lines: whether the devices are
  // linked so that lines can be used. Throws INVALID_ARGUMENT, naming the entry.
  static Bands of(const std::string& architecture, uint32_t ranks, const std::string& tuned,
                  const std::string& forced, bool lines);

  const Band& operator[](muster_op op) const { return bands_[op]; }

 private:
  std::array<Band, MUSTER_OP_END> bands_{};
};

}  // namespace muster::cuda_peer

#endif

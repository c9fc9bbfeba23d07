// Cubins on disk: built once per key, whoever comes second waits and uses what the first has built.
//
// A key is the digest of sources, flags, NVRTC's version and architecture, so what is there is
// never stale. A file is replaced as a whole and carries the digest of its content: one that is
// truncated or damaged is built anew. Without a directory, or in one that cannot be written,
// everything works but is built again by every process. A failed build leaves its log beside where
// the cubin would be.
//
// Any thread, any number of processes. No lock outlives its process.
#ifndef MUSTER_PLUGINS_CUDA_PEER_CUBIN_CACHE_HPP
#define MUSTER_PLUGINS_CUDA_PEER_CUBIN_CACHE_HPP

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "plugins/backends/cuda_peer/nvrtc.hpp"

namespace muster::cuda_peer {

struct CubinKey {
  std::string name;    // for people: "reductions.bf16.2.sm_90a"
  std::string digest;  // of all that the cubin depends on
  std::string file_name() const { return name + "." + digest.substr(0, 16) + ".cubin"; }
};

class CubinCache {
 public:
  // directory: "" for none.
  explicit CubinCache(std::string directory) : directory_(std::move(directory)) {}

  // The cubin of a key, if it is there and whole.
  std::optional<std::string> find(const CubinKey& key) const;
  // The same, else what `build` makes of it. Throws UNAVAILABLE, with the log's place and
  // beginning, when that fails.
  std::string get(const CubinKey& key, const std::function<Compiled()>& build) const;

 private:
  std::string path_of(const CubinKey& key) const { return directory_ + "/" + key.file_name(); }
  bool store(const CubinKey& key, const std::string& cubin) const;

  std::string directory_;
};

}  // namespace muster::cuda_peer

#endif

// Images of device kernels (cubins, code objects) that were built on this machine:
// muster/variants.h.
//
// One file per key, which carries what it was made of and the digest of its bytes: one that is
// truncated, damaged or another's counts as none. Files are replaced as a whole. A key is built
// under a lock: who comes second waits, a few minutes at most, and uses what the first has built.
// Where nothing can be written everything works, and each process builds for itself. The log of a
// build that failed stays beside where the image would be. As the kernel cache of a CUDA program.
//
// Any thread, any number of processes. No lock outlives its process.
#ifndef MUSTER_CORE_KERNELS_IMAGE_STORE_HPP
#define MUSTER_CORE_KERNELS_IMAGE_STORE_HPP

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace muster {

struct ImageKey {
  std::string name;       // "cuda_peer-1.reductions.bf16.8.sm_90": of the variant's key
  std::string source;     // digest of sources and flags
  std::string toolchain;  // "nvrtc-13.0"; "": this machine has none
};

// What a toolchain made.
struct MadeImage {
  std::string image;  // "" when it failed
  std::string log;
};

struct KeptImage {
  enum class State { kBuilt, kReady, kFailed };
  State state = State::kFailed;
  std::string image;
  std::string text;  // the file; of a failure, the cause and the log's file
};

class ImageStore {
 public:
  // "": nothing is kept. A directory that others may write to is not used.
  explicit ImageStore(std::string directory) : directory_(std::move(directory)) {}

  const std::string& directory() const { return directory_; }
  std::string file_of(const ImageKey& key) const;

  // Of the key's toolchain; without one, of any.
  std::optional<std::string> find(const ImageKey& key) const;
  // The same, else what `make` gives.
  KeptImage get(const ImageKey& key, const std::function<MadeImage()>& make) const;
  // Whether the last build of exactly this key failed.
  bool failed_before(const ImageKey& key) const;
  // A file of this name that `find` does not take: what it was made of differs, or it is damaged.
  // "" when there is none.
  std::string stale_file(const ImageKey& key) const;

  // Removes what can never be found again with these keys (all that are wanted), what is damaged,
  // logs, and what an ended build left. Names that no key has are left alone. The names of the
  // files that are gone.
  std::vector<std::string> clean(const std::vector<ImageKey>& keys) const;

 private:
  std::vector<std::string> files_of(const std::string& name) const;
  bool keep(const ImageKey& key, const std::string& image) const;

  std::string directory_;
};

}  // namespace muster

#endif

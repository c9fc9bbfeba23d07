// The kernels that were built on this machine: where they are, and which of them may be loaded.
//
// One shared object per key, and beside it a record of what it was built from and what its variants
// showed in their known-answer tests. A file is stale, and never loaded, when the sources, the
// compiler or the processor are not those of its record, or the file itself was replaced.
// Directories are apart per processor, because homes are shared by machines.
//
// Any thread, any number of processes: files are replaced as a whole.
#ifndef MUSTER_CORE_KERNELS_NATIVE_STORE_HPP
#define MUSTER_CORE_KERNELS_NATIVE_STORE_HPP

#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "core/kernels/pack_report.hpp"
#include "muster/types.h"

namespace muster {

// What one shared object holds: every reduce operation of a family, algorithm and dtype.
struct NativeKey {
  std::string family;
  std::string algorithm;
  muster_dtype dtype = MUSTER_DTYPE_NONE;

  // "host_reduce-1.cached.f32": no two keys have one name.
  std::string name() const;
};
std::vector<NativeKey> native_keys();

struct NativeRecord {
  std::string name;          // of the key
  std::string architecture;  // what -march said
  std::string digest;        // of sources, flags, compiler and processor, as text
  std::string sources;       // digest of the sources that this runtime belongs to
  std::string compiler;      // stamp
  std::string file;          // stamp of the shared object
  PackReport report;
};

class NativeStore {
 public:
  explicit NativeStore(const Config& config);

  // "" when there is no place for it.
  const std::string& directory() const { return directory_; }
  // Makes it, for the user alone; "" or why not.
  std::string prepare() const;

  std::string base_of(const std::string& key_name, const std::string& architecture,
                      const std::string& digest) const;  // path without its ending
  // The plugin id of a shared object.
  static std::string id_of(const std::string& key_name, const std::string& digest);

  struct Entry {
    std::string base;
    NativeRecord record;
    std::string stale;  // why it must not be loaded, "" when it may
    std::string object() const { return base + ".so"; }
  };
  // Every shared object with a record, in order of names.
  std::vector<Entry> entries() const;
  std::optional<NativeRecord> read(const std::string& base) const;
  bool write(const std::string& base, const NativeRecord& record) const;

  // What no entry that may be loaded needs: stale objects, logs, what a build left that was ended.
  // The names that were removed.
  std::vector<std::string> clean() const;

 private:
  std::string staleness(const Entry& entry) const;

  std::string directory_;
  std::string compiler_;  // stamp; "" when there is no compiler
};

// Digest of the sources and flags that this runtime's kernels were built from.
std::string native_sources_digest();
std::string native_file_stamp(const std::string& path);

}  // namespace muster

#endif

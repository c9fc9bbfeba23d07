// The judgement of one plugin without opening it: file, trust, ABI range, build tag, configuration.
//
// Any thread; reads the file system, changes nothing.
#ifndef MUSTER_CORE_DISCOVER_JUDGEMENT_HPP
#define MUSTER_CORE_DISCOVER_JUDGEMENT_HPP

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "config/config.hpp"
#include "core/discover/discovery.hpp"
#include "core/discover/file_trust.hpp"

namespace muster {

// What a runtime serves.
struct AbiRange {
  uint32_t major = MUSTER_ABI_MAJOR;
  uint32_t oldest_minor = MUSTER_ABI_OLDEST_MINOR;
  uint32_t minor = MUSTER_ABI_MINOR;
};

// A plugin and what the judgement learnt besides. state is kUsable when nothing speaks against it.
struct Judged {
  FoundPlugin found;
  std::string note;       // not a refusal: "built by clang, the runtime by gnu"; "" for none
  bool regular = false;   // a regular file that could be opened: status and build_id are set
  struct stat status {};  // of the file
  std::string build_id;
};

// A file by its path as listed, and the status of the directory it was listed in (NULL: asked for
// by its path). The canonical path and its directory are judged as well when the path is a link.
Judged judge_plugin_file(const std::string& path, bool is_link, const struct stat* listed_in,
                         const Config& config, const TrustPolicy& trust);

// An entry record in memory.
Judged judge_in_process(const muster_entry& entry, const Config& config);

// The parts that read nothing. "" when good.
std::string judge_abi(const EntryRecord& entry, const AbiRange& runtime = {});
// `note` takes what differs without refusing.
std::string judge_build_tag(const std::string& plugin, const std::string& runtime,
                            std::string& note);

}  // namespace muster

#endif

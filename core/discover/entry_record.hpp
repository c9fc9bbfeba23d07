// The frozen part of an entry record, from bytes to text, and what is wrong with it on its own.
//
// Any thread; pure.
#ifndef MUSTER_CORE_DISCOVER_ENTRY_RECORD_HPP
#define MUSTER_CORE_DISCOVER_ENTRY_RECORD_HPP

#include <string>

#include "core/discover/discovery.hpp"
#include "muster/entry.h"

namespace muster {

// Decodes MUSTER_PLUGIN_ENTRY_FROZEN_SIZE bytes (alignment does not matter). "" when it is an entry
// record of some version; else the reason, and out holds what could be read (nothing when the magic
// is wrong: then nothing of it means anything).
std::string decode_entry(const void* bytes, EntryRecord& out);

// True when two records are the same to the last field.
bool same_entry(const EntryRecord& a, const EntryRecord& b);

}  // namespace muster

#endif

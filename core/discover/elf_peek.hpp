// Reads from a plugin's ELF file, without loading it, what discovery judges: the frozen part of the
// entry record, and the build id.
//
// The symbol is found as the dynamic loader would find it: by the hash table that PT_DYNAMIC names,
// mapped through PT_LOAD. Section headers are not looked at: the loader does not either, and a file
// whose two descriptions differ must not be judged by the one that is not used.
//
// The file may be hostile: every offset and count is checked, work is bounded. Any thread.
#ifndef MUSTER_CORE_DISCOVER_ELF_PEEK_HPP
#define MUSTER_CORE_DISCOVER_ELF_PEEK_HPP

#include <array>
#include <cstdint>
#include <string>

#include "muster/entry.h"

namespace muster {

enum class ElfFault {
  kNone,
  kUnreadable,    // the file could not be read
  kNotElf,        // something else
  kTruncated,     // the headers promise more than the file holds
  kOtherMachine,  // ELF of another machine, class or byte order
  kMalformed,     // contradicts itself
  kNoEntry        // a shared object without the entry symbol
};

struct ElfPeek {
  ElfFault fault = ElfFault::kNone;
  std::string reason;  // "" when fault is kNone
  std::array<unsigned char, MUSTER_PLUGIN_ENTRY_FROZEN_SIZE> record{};
  std::string build_id;  // hexadecimal; "" when the file has none
};

// Borrows the descriptor; size is the file's.
ElfPeek peek_elf(int fd, uint64_t size);

}  // namespace muster

#endif

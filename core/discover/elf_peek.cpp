#include "core/discover/elf_peek.hpp"

#include <elf.h>
#include <fmt/format.h>

#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "core/discover/elf_file.hpp"

namespace muster {
namespace {

#if defined(__x86_64__)
constexpr uint16_t kThisMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kThisMachine = EM_AARCH64;
#elif defined(__powerpc64__)
constexpr uint16_t kThisMachine = EM_PPC64;
#elif defined(__riscv)
constexpr uint16_t kThisMachine = EM_RISCV;
#elif defined(__s390x__)
constexpr uint16_t kThisMachine = EM_S390;
#else
#error "name this machine's e_machine here"
#endif
constexpr unsigned char kThisData =
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;

// Far above what linkers write; ends the work on a file made to be slow.
constexpr uint16_t kMostSegments = 1024;
constexpr uint32_t kMostDynamic = 4096;
constexpr uint32_t kMostChain = 1u << 16;
constexpr uint32_t kMostNotes = 64;

constexpr std::string_view kSymbol = MUSTER_PLUGIN_ENTRY_SYMBOL;

std::string machine_name(uint16_t machine) {
  switch (machine) {
    case EM_386:
      return "i386";
    case EM_X86_64:
      return "x86_64";
    case EM_ARM:
      return "arm";
    case EM_AARCH64:
      return "aarch64";
    case EM_PPC64:
      return "ppc64";
    case EM_S390:
      return "s390x";
    case EM_RISCV:
      return "riscv";
    default:
      return fmt::format("machine {}", machine);
  }
}

struct Fault {
  ElfFault kind = ElfFault::kNone;
  std::string reason;
};

class Peeker {
 public:
  Peeker(int fd, uint64_t size) : file_(fd, size) {}

  Fault headers() {
    unsigned char ident[EI_NIDENT] = {};
    if (file_.size() == 0) return {ElfFault::kNotElf, "not an ELF file: it is empty"};
    if (!file_.holds(0, SELFMAG)) return {ElfFault::kNotElf, "not an ELF file"};
    if (!file_.read(0, ident, SELFMAG))
      return {ElfFault::kUnreadable, "the file could not be read"};
    if (std::memcmp(ident, ELFMAG, SELFMAG) != 0) return {ElfFault::kNotElf, "not an ELF file"};
    if (!file_.read(0, ident, sizeof(ident))) return truncated("its ELF header");
    const bool same_class = ident[EI_CLASS] == ELFCLASS64;
    const bool same_data = ident[EI_DATA] == kThisData;
    if (!same_class || !same_data) {
      return {ElfFault::kOtherMachine,
              fmt::format("built for another machine: {}, this one is 64-bit {} {}",
                          !same_class ? "not a 64-bit file" : "the other byte order",
                          kThisData == ELFDATA2LSB ? "little-endian" : "big-endian",
                          machine_name(kThisMachine))};
    }
    if (!file_.read(0, &header_)) return truncated("its ELF header");
    if (header_.e_machine != kThisMachine) {
      return {ElfFault::kOtherMachine,
              fmt::format("built for another machine: {}, this one is {}",
                          machine_name(header_.e_machine), machine_name(kThisMachine))};
    }
    if (header_.e_type != ET_DYN) {
      return {ElfFault::kMalformed,
              fmt::format("not a shared object: ELF type {}", header_.e_type)};
    }
    return segments();
  }

  Fault find_entry(ElfPeek& peek) {
    if (dynamic_.p_filesz == 0) return no_entry();
    if (Fault fault = read_dynamic(); fault.kind != ElfFault::kNone) return fault;
    if (symtab_ == 0 || strtab_ == 0 || (gnu_hash_ == 0 && hash_ == 0)) return no_entry();
    const std::optional<Elf64_Sym> symbol = gnu_hash_ != 0 ? by_gnu_hash() : by_hash();
    if (!symbol) return no_entry();
    const std::optional<uint64_t> at = offset_of(symbol->st_value, MUSTER_PLUGIN_ENTRY_FROZEN_SIZE);
    if (!at || !file_.read(*at, peek.record.data(), peek.record.size())) {
      return {ElfFault::kMalformed,
              fmt::format("the symbol {} does not point at {} bytes of the file's data", kSymbol,
                          MUSTER_PLUGIN_ENTRY_FROZEN_SIZE)};
    }
    return {};
  }

  std::string build_id() {
    for (const Elf64_Phdr& segment : notes_) {
      uint64_t at = segment.p_offset;
      uint64_t left = segment.p_filesz;
      for (uint32_t n = 0; n < kMostNotes && left >= sizeof(Elf64_Nhdr); ++n) {
        Elf64_Nhdr note{};
        if (!file_.read(at, &note)) break;
        const uint64_t name_bytes = (uint64_t{note.n_namesz} + 3) & ~uint64_t{3};
        const uint64_t bytes =
            sizeof(note) + name_bytes + ((uint64_t{note.n_descsz} + 3) & ~uint64_t{3});
        if (bytes > left) break;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && note.n_descsz <= 64) {
          char name[4] = {};
          unsigned char id[64] = {};
          if (file_.read(at + sizeof(note), name, 4) && std::memcmp(name, "GNU", 4) == 0 &&
              file_.read(at + sizeof(note) + name_bytes, id, note.n_descsz)) {
            std::string text;
            for (uint32_t i = 0; i < note.n_descsz; ++i) text += fmt::format("{:02x}", id[i]);
            return text;
          }
        }
        at += bytes;
        left -= bytes;
      }
    }
    return {};
  }

 private:
  static Fault no_entry() {
    return {ElfFault::kNoEntry, fmt::format("no symbol {}: not a muster plugin", kSymbol)};
  }
  Fault truncated(std::string_view what) const {
    return {ElfFault::kTruncated,
            fmt::format("truncated: {} lies beyond its {} bytes", what, file_.size())};
  }

  Fault segments() {
    if (header_.e_phnum == 0) return no_entry();
    if (header_.e_phentsize != sizeof(Elf64_Phdr) || header_.e_phnum > kMostSegments) {
      return {ElfFault::kMalformed,
              fmt::format("{} program headers of {} bytes", header_.e_phnum, header_.e_phentsize)};
    }
    // A file that is still being copied lacks its end: where the section headers are.
    if (header_.e_shoff != 0 &&
        !file_.holds(header_.e_shoff, uint64_t{header_.e_shnum} * header_.e_shentsize)) {
      return truncated("its table of sections");
    }
    if (!file_.holds(header_.e_phoff, uint64_t{header_.e_phnum} * sizeof(Elf64_Phdr))) {
      return truncated("its table of segments");
    }
    for (uint16_t i = 0; i < header_.e_phnum; ++i) {
      Elf64_Phdr segment{};
      if (!file_.read(header_.e_phoff + uint64_t{i} * sizeof(segment), &segment)) {
        return {ElfFault::kUnreadable, "the file could not be read"};
      }
      const bool wanted =
          segment.p_type == PT_LOAD || segment.p_type == PT_DYNAMIC || segment.p_type == PT_NOTE;
      if (!wanted) continue;
      if (!file_.holds(segment.p_offset, segment.p_filesz)) return truncated("a segment");
      if (segment.p_type == PT_LOAD) loads_.push_back(segment);
      if (segment.p_type == PT_NOTE) notes_.push_back(segment);
      if (segment.p_type == PT_DYNAMIC) dynamic_ = segment;
    }
    return {};
  }

  // Where in the file `bytes` bytes at a virtual address lie.
  std::optional<uint64_t> offset_of(uint64_t address, uint64_t bytes) const {
    for (const Elf64_Phdr& load : loads_) {
      if (address < load.p_vaddr) continue;
      const uint64_t inside = address - load.p_vaddr;
      if (bytes <= load.p_filesz && inside <= load.p_filesz - bytes) return load.p_offset + inside;
    }
    return std::nullopt;
  }
  // Element `index` of an array at a virtual address.
  template <typename T>
  bool element(uint64_t array, uint64_t index, T* out) {
    uint64_t address = 0;
    if (__builtin_mul_overflow(index, sizeof(T), &address) ||
        __builtin_add_overflow(address, array, &address)) {
      return false;
    }
    const std::optional<uint64_t> at = offset_of(address, sizeof(T));
    return at && file_.read(*at, out);
  }

  Fault read_dynamic() {
    const uint64_t count = dynamic_.p_filesz / sizeof(Elf64_Dyn);
    for (uint64_t i = 0; i < count && i < kMostDynamic; ++i) {
      Elf64_Dyn item{};
      if (!file_.read(dynamic_.p_offset + i * sizeof(item), &item)) {
        return {ElfFault::kUnreadable, "the file could not be read"};
      }
      if (item.d_tag == DT_NULL) break;
      if (item.d_tag == DT_SYMTAB) symtab_ = item.d_un.d_ptr;
      if (item.d_tag == DT_STRTAB) strtab_ = item.d_un.d_ptr;
      if (item.d_tag == DT_STRSZ) strings_ = item.d_un.d_val;
      if (item.d_tag == DT_GNU_HASH) gnu_hash_ = item.d_un.d_ptr;
      if (item.d_tag == DT_HASH) hash_ = item.d_un.d_ptr;
    }
    return {};
  }

  // The symbol at an index when it is the entry, defined here and visible to others.
  std::optional<Elf64_Sym> entry_at(uint64_t index) {
    Elf64_Sym symbol{};
    if (!element(symtab_, index, &symbol)) return std::nullopt;
    const unsigned char binding = ELF64_ST_BIND(symbol.st_info);
    const unsigned char type = ELF64_ST_TYPE(symbol.st_info);
    if (symbol.st_shndx == SHN_UNDEF || (binding != STB_GLOBAL && binding != STB_WEAK) ||
        (type != STT_OBJECT && type != STT_NOTYPE)) {
      return std::nullopt;
    }
    char name[kSymbol.size() + 1] = {};
    if (symbol.st_name > strings_ || strings_ - symbol.st_name < sizeof(name)) return std::nullopt;
    uint64_t address = 0;
    if (__builtin_add_overflow(strtab_, uint64_t{symbol.st_name}, &address)) return std::nullopt;
    const std::optional<uint64_t> at = offset_of(address, sizeof(name));
    if (!at || !file_.read(*at, name, sizeof(name))) return std::nullopt;
    if (std::memcmp(name, kSymbol.data(), sizeof(name)) != 0) return std::nullopt;
    return symbol;
  }

  std::optional<Elf64_Sym> by_gnu_hash() {
    uint32_t wanted = 5381;
    for (const char c : kSymbol) wanted = wanted * 33 + static_cast<unsigned char>(c);
    uint32_t buckets = 0;
    uint32_t first = 0;
    uint32_t bloom_words = 0;
    if (!element(gnu_hash_, 0, &buckets) || !element(gnu_hash_, 1, &first) ||
        !element(gnu_hash_, 2, &bloom_words) || buckets == 0) {
      return std::nullopt;
    }
    const uint64_t bucket_at = 4 + uint64_t{bloom_words} * 2;  // in words of 32 bits
    uint32_t index = 0;
    if (!element(gnu_hash_, bucket_at + wanted % buckets, &index) || index < first) {
      return std::nullopt;
    }
    const uint64_t chain_at = bucket_at + buckets;
    for (uint32_t n = 0; n < kMostChain; ++n, ++index) {
      uint32_t hash = 0;
      if (index < first || !element(gnu_hash_, chain_at + (index - first), &hash)) break;
      if ((hash | 1) == (wanted | 1)) {
        if (std::optional<Elf64_Sym> symbol = entry_at(index)) return symbol;
      }
      if ((hash & 1) != 0) break;
    }
    return std::nullopt;
  }

  std::optional<Elf64_Sym> by_hash() {
    uint32_t wanted = 0;
    for (const char c : kSymbol) {
      wanted = (wanted << 4) + static_cast<unsigned char>(c);
      const uint32_t high = wanted & 0xf0000000u;
      wanted = (wanted ^ (high >> 24)) & ~high;
    }
    uint32_t buckets = 0;
    uint32_t index = 0;
    if (!element(hash_, 0, &buckets) || buckets == 0 ||
        !element(hash_, 2 + uint64_t{wanted % buckets}, &index)) {
      return std::nullopt;
    }
    for (uint32_t n = 0; n < kMostChain && index != STN_UNDEF; ++n) {
      if (std::optional<Elf64_Sym> symbol = entry_at(index)) return symbol;
      if (!element(hash_, 2 + uint64_t{buckets} + index, &index)) break;
    }
    return std::nullopt;
  }

  ElfFile file_;
  Elf64_Ehdr header_{};
  Elf64_Phdr dynamic_{};
  std::vector<Elf64_Phdr> loads_;
  std::vector<Elf64_Phdr> notes_;
  uint64_t symtab_ = 0;
  uint64_t strtab_ = 0;
  uint64_t strings_ = 0;
  uint64_t gnu_hash_ = 0;
  uint64_t hash_ = 0;
};

}  // namespace

ElfPeek peek_elf(int fd, uint64_t size) {
  ElfPeek peek;
  Peeker peeker(fd, size);
  Fault fault = peeker.headers();
  if (fault.kind == ElfFault::kNone) fault = peeker.find_entry(peek);
  if (fault.kind == ElfFault::kNone) peek.build_id = peeker.build_id();
  peek.fault = fault.kind;
  peek.reason = std::move(fault.reason);
  return peek;
}

}  // namespace muster

#include "core/discover/elf_peek.hpp"

#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "core/discover/entry_record.hpp"
#include "tests/unit/discover/test_directory.hpp"

namespace muster {
namespace {

using testing::Test;

ElfPeek peek_bytes(const std::string& bytes) {
  const int fd = memfd_create("elf", MFD_CLOEXEC);
  EXPECT_EQ(write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  ElfPeek peek = peek_elf(fd, bytes.size());
  close(fd);
  return peek;
}

TEST(ElfPeek, GivenAPluginWhenPeekedThenItsRecordAndBuildIdAreRead) {
  for (const char* name : {"good", "hashed"}) {
    const ElfPeek peek = peek_bytes(read_file(built_plugin(name)));
    ASSERT_EQ(peek.fault, ElfFault::kNone) << name << ": " << peek.reason;
    EXPECT_EQ(peek.build_id.size(), 40u);
    EntryRecord entry;
    ASSERT_EQ(decode_entry(peek.record.data(), entry), "");
    EXPECT_EQ(entry.id, name);
    EXPECT_EQ(entry.version, "1.2.3");
    EXPECT_EQ(entry.vendor, "Acme");
    EXPECT_TRUE(entry.gives("muster.backend/1"));
    EXPECT_FALSE(entry.gives("muster.backend"));
    EXPECT_EQ(entry.probe_env, std::vector<std::string>{"MUSTER_TEST_DEVICES"});
  }
}

TEST(ElfPeek, GivenTwoBuildsWhenPeekedThenTheirBuildIdsDiffer) {
  EXPECT_NE(peek_bytes(read_file(built_plugin("good"))).build_id,
            peek_bytes(read_file(built_plugin("other"))).build_id);
}

TEST(ElfPeek, GivenNoElfWhenPeekedThenItSaysSo) {
  EXPECT_EQ(peek_bytes("").fault, ElfFault::kNotElf);
  EXPECT_EQ(peek_bytes("x").fault, ElfFault::kNotElf);
  EXPECT_EQ(peek_bytes("#!/bin/sh\necho a plugin\n").fault, ElfFault::kNotElf);
  EXPECT_NE(peek_bytes("").reason.find("empty"), std::string::npos);
}

TEST(ElfPeek, GivenAnyPrefixOfAPluginWhenPeekedThenItIsTruncated) {
  const std::string good = read_file(built_plugin("good"));
  for (size_t size = 4; size < good.size(); size += size < 256 ? 1 : 97) {
    const ElfPeek peek = peek_bytes(good.substr(0, size));
    EXPECT_EQ(peek.fault, ElfFault::kTruncated) << size << ": " << peek.reason;
  }
}

TEST(ElfPeek, GivenAnotherMachineWhenPeekedThenBothAreNamed) {
  std::string bytes = read_file(built_plugin("good"));
  const uint16_t own = *reinterpret_cast<const uint16_t*>(&bytes[offsetof(Elf64_Ehdr, e_machine)]);
  const uint16_t foreign = own == EM_AARCH64 ? EM_X86_64 : EM_AARCH64;
  std::memcpy(&bytes[offsetof(Elf64_Ehdr, e_machine)], &foreign, sizeof(foreign));
  const ElfPeek peek = peek_bytes(bytes);
  EXPECT_EQ(peek.fault, ElfFault::kOtherMachine);
  EXPECT_NE(peek.reason.find("aarch64"), std::string::npos) << peek.reason;
  EXPECT_NE(peek.reason.find("x86_64"), std::string::npos) << peek.reason;
}

TEST(ElfPeek, GivenA32BitFileWhenPeekedThenItIsOfAnotherMachine) {
  std::string bytes = read_file(built_plugin("good"));
  bytes[EI_CLASS] = ELFCLASS32;
  EXPECT_EQ(peek_bytes(bytes).fault, ElfFault::kOtherMachine);
}

TEST(ElfPeek, GivenNoEntrySymbolWhenPeekedThenItIsNoPlugin) {
  const ElfPeek peek = peek_bytes(read_file(built_plugin("no_entry")));
  EXPECT_EQ(peek.fault, ElfFault::kNoEntry);
  EXPECT_NE(peek.reason.find("muster_plugin_entry"), std::string::npos);
}

TEST(ElfPeek, GivenNoSectionHeadersWhenPeekedThenTheRecordIsStillFound) {
  std::string bytes = read_file(built_plugin("good"));
  auto* header = reinterpret_cast<Elf64_Ehdr*>(bytes.data());
  header->e_shoff = 0;
  header->e_shnum = 0;
  header->e_shstrndx = 0;
  EXPECT_EQ(peek_bytes(bytes).fault, ElfFault::kNone);
}

TEST(ElfPeek, GivenAFileThatShrankAfterItsSizeWasTakenWhenPeekedThenNothingIsReadBeyond) {
  const std::string good = read_file(built_plugin("good"));
  const int fd = memfd_create("elf", MFD_CLOEXEC);
  ASSERT_EQ(write(fd, good.data(), 100), 100);
  EXPECT_NE(peek_elf(fd, good.size()).fault, ElfFault::kNone);
  close(fd);
}

// Every byte of what discovery reads may be hostile. The address sanitizer makes this one strict.
TEST(ElfPeek, GivenMutatedFilesWhenPeekedThenItAlwaysReturns) {
  const std::string good = read_file(built_plugin("good"));
  std::mt19937_64 random(20240611);
  const auto below = [&](size_t limit) { return static_cast<size_t>(random() % limit); };
  static constexpr uint64_t kNasty[] = {0,
                                        1,
                                        0x7fffffff,
                                        0xffffffff,
                                        0x7fffffffffffffff,
                                        0xffffffffffffffff,
                                        0xfffffffffffffff8,
                                        0x8000000000000000};
  size_t judged = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string bytes = good;
    // The headers and tables lie in front; half of the rounds aim there.
    const size_t reach = round % 2 == 0 ? std::min<size_t>(4096, bytes.size()) : bytes.size();
    for (size_t n = 1 + below(8); n > 0; --n) {
      if (below(2) == 0) {
        bytes[below(reach)] = static_cast<char>(random());
      } else {
        const size_t at = below(reach / 8 - 1) * 8;
        const uint64_t value = kNasty[below(std::size(kNasty))];
        std::memcpy(&bytes[at], &value, below(2) == 0 ? 8 : 4);
      }
    }
    if (below(8) == 0) bytes.resize(below(bytes.size()));
    if (below(8) == 0) bytes[below(SELFMAG)] = 0;
    const ElfPeek peek = peek_bytes(bytes);
    EXPECT_EQ(peek.fault == ElfFault::kNone, peek.reason.empty());
    EntryRecord entry;
    if (peek.fault == ElfFault::kNone && decode_entry(peek.record.data(), entry).empty()) ++judged;
  }
  EXPECT_GT(judged, 0u);
}

TEST(EntryRecord, GivenTextThatDoesNotEndWhenDecodedThenItIsMalformed) {
  muster_entry raw{};
  raw.magic = MUSTER_PLUGIN_MAGIC;
  std::strcpy(raw.id, "good");
  EntryRecord entry;
  ASSERT_EQ(decode_entry(&raw, entry), "");
  std::memset(raw.probe_files, 'x', sizeof(raw.probe_files));
  EXPECT_NE(decode_entry(&raw, entry).find("probe_files"), std::string::npos);
}

TEST(EntryRecord, GivenAnIdThatIsNoneWhenDecodedThenItIsMalformed) {
  muster_entry raw{};
  raw.magic = MUSTER_PLUGIN_MAGIC;
  EntryRecord entry;
  for (const char* id : {"", "Upper", "a-b", "../x", "a b"}) {
    std::strcpy(raw.id, id);
    EXPECT_NE(decode_entry(&raw, entry), "") << id;
  }
}

TEST(EntryRecord, GivenControlCharactersAndBrokenUtf8WhenDecodedThenTheyAreReplaced) {
  muster_entry raw{};
  raw.magic = MUSTER_PLUGIN_MAGIC;
  std::strcpy(raw.id, "good");
  std::strcpy(raw.vendor, "a\033[31mb");
  std::strcpy(raw.version, "\xff\xfe");
  EntryRecord entry;
  ASSERT_EQ(decode_entry(&raw, entry), "");
  EXPECT_EQ(entry.vendor, "a?[31mb");
  EXPECT_EQ(entry.version, "??");
  std::strcpy(raw.vendor, "M\xc3\xbcller");
  ASSERT_EQ(decode_entry(&raw, entry), "");
  EXPECT_EQ(entry.vendor, "M\xc3\xbcller");
}

}  // namespace
}  // namespace muster

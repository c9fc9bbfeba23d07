// handshake: the file is opened, exports one symbol, and gives the tables that it declares. Whether
// it is judged fit to be opened is asked of the command, by the process that runs the cases.
#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>

#include <algorithm>
#include <cstring>
#include <sstream>

#include "tests/kit/check/catalogue.hpp"
#include "tests/kit/check/plugin_file.hpp"
#include "tests/kit/check/verdict.hpp"

namespace muster::check {
namespace {

// Entries of a dynamic symbol table, told by its hash table.
uint32_t symbol_count(const uint32_t* gnu_hash) {
  const uint32_t buckets = gnu_hash[0];
  const uint32_t first = gnu_hash[1];
  const uint32_t bloom = gnu_hash[2];
  const uint32_t* const bucket = gnu_hash + 4 + bloom * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
  const uint32_t* const chain = bucket + buckets;
  uint32_t last = 0;
  for (uint32_t i = 0; i < buckets; ++i) last = std::max(last, bucket[i]);
  if (last < first) return first;
  while ((chain[last - first] & 1) == 0) ++last;
  return last + 1;
}

// What the object defines for others.
std::vector<std::string> exports_of(const link_map& object) {
  const ElfW(Sym)* symbols = nullptr;
  const char* names = nullptr;
  const uint32_t* hash = nullptr;
  for (const ElfW(Dyn)* item = object.l_ld; item->d_tag != DT_NULL; ++item) {
    // The loader has made these addresses absolute, unless the section is read-only.
    const ElfW(Addr) told = item->d_un.d_ptr;
    const ElfW(Addr) at = told < object.l_addr ? told + object.l_addr : told;
    if (item->d_tag == DT_SYMTAB) symbols = reinterpret_cast<const ElfW(Sym)*>(at);
    if (item->d_tag == DT_STRTAB) names = reinterpret_cast<const char*>(at);
    if (item->d_tag == DT_GNU_HASH) hash = reinterpret_cast<const uint32_t*>(at);
  }
  if (symbols == nullptr || names == nullptr || hash == nullptr) {
    throw NotOffered("the file has no GNU hash table to read symbols from");
  }
  std::vector<std::string> exported;
  for (uint32_t i = 1; i < symbol_count(hash); ++i) {
    const bool defined = symbols[i].st_shndx != SHN_UNDEF && symbols[i].st_shndx != SHN_ABS;
    if (defined) exported.emplace_back(names + symbols[i].st_name);
  }
  return exported;
}

void need_slot(bool given, const char* name) {
  if (!given) throw Failed(fmt::format("the required slot {} is NULL", name));
}
void need_pair(bool one, bool other, const char* names) {
  if (one != other) throw Failed(fmt::format("of {} only one is given", names));
}

void check_options(const muster_backend& backend) {
  for (uint32_t i = 0; i < backend.option_count; ++i) {
    const muster_option& option = MUSTER_AT(muster_option, backend.options, i);
    if (option.struct_size < MUSTER_OPTION_SIZE) throw Failed("an option has a short struct_size");
    const std::string name = option.name == nullptr ? "" : option.name;
    if (name.empty() ||
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != name.npos) {
      throw Failed(fmt::format("option {} is named '{}', not [a-z0-9_]+", i, name));
    }
    if (option.default_value == nullptr || option.help == nullptr) {
      throw Failed(fmt::format("option {} lacks a default or a line of help", name));
    }
    if (option.type >= MUSTER_OPTION_END) {
      throw Failed(fmt::format("option {} is of an unknown type", name));
    }
  }
}

void check_backend(const muster_backend& backend) {
  if (backend.struct_size < MUSTER_BACKEND_SIZE) {
    throw Failed(
        fmt::format("the table declares {} bytes of {}", backend.struct_size, MUSTER_BACKEND_SIZE));
  }
  if (backend.priority < 0 || backend.priority > 100) {
    throw Failed(fmt::format("its priority is {}, not 0 to 100", backend.priority));
  }
  need_slot(backend.probe != nullptr, "probe");
  need_slot(backend.offer != nullptr, "offer");
  need_slot(backend.group_prepare != nullptr, "group_prepare");
  need_slot(backend.group_connect != nullptr, "group_connect");
  need_slot(backend.execute != nullptr, "execute");
  need_slot(backend.group_destroy != nullptr, "group_destroy");
  need_pair(backend.start != nullptr, backend.test != nullptr, "start and test");
  need_pair(backend.memory_register != nullptr, backend.memory_deregister != nullptr,
            "memory_register and memory_deregister");
  check_options(backend);
}

}  // namespace

std::string handshake_loads(const Scene& scene) {
  entry_of(load(scene.setup.plugin));
  return {};
}

std::string handshake_symbols(const Scene& scene) {
  const link_map* object = nullptr;
  if (dlinfo(load(scene.setup.plugin), RTLD_DI_LINKMAP, &object) != 0) throw Failed(dlerror());
  for (const std::string& name : exports_of(*object)) {
    if (name != MUSTER_PLUGIN_ENTRY_SYMBOL) {
      throw Failed(
          fmt::format("it exports {} as well; build with hidden visibility and a version "
                      "script, as muster_add_plugin does",
                      name));
    }
  }
  return {};
}

std::string handshake_interfaces(const Scene& scene) {
  PluginFile plugin(scene.setup);
  const muster_entry& entry = plugin.entry();
  std::istringstream declared(entry.interfaces);
  for (std::string name; declared >> name;) {
    if (entry.get_interface(plugin.instance(), name.c_str()) == nullptr) {
      throw Failed(fmt::format("it declares {} and gives no such table", name));
    }
    if (name == MUSTER_BACKEND_INTERFACE) check_backend(plugin.backend());
  }
  if (entry.get_interface(plugin.instance(), "org.example.unheard_of/1") != nullptr) {
    throw Failed("it gives a table for org.example.unheard_of/1, which it does not declare");
  }
  return {};
}

}  // namespace muster::check

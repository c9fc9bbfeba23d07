/* The one exported symbol of a plugin, and it is data:
 *
 *     extern MUSTER_PLUGIN_EXPORT const muster_entry muster_plugin_entry;
 *
 * Everything up to `probe_files` is inline text and integers without relocations, frozen in every
 * major, so that discovery and `muster inspect FILE.so` judge a plugin of any year from its ELF
 * file without loading it, and any refusal can name its id and vendor. Nothing is derived from the
 * file's name. Strings are UTF-8, NUL-terminated, the rest of each array zero. As CLAP's
 * clap_entry, DuckDB's footer. */
#ifndef MUSTER_ENTRY_H
#define MUSTER_ENTRY_H

#include "muster/base.h"
#include "muster/host.h"
#include "muster/status.h"

#define MUSTER_PLUGIN_MAGIC 0x0052455453554D01ull /* "\1MUSTER\0" read as little endian */
#define MUSTER_PLUGIN_ENTRY_SYMBOL "muster_plugin_entry"

/* One opened plugin, in one runtime. Owned by the plugin, made by open and ended by close. */
typedef struct muster_instance muster_instance;

typedef struct muster_entry {
  uint64_t magic;          /* MUSTER_PLUGIN_MAGIC */
  uint32_t struct_size;    /* MUSTER_PLUGIN_ENTRY_SIZE */
  uint32_t abi_major;      /* MUSTER_ABI_MAJOR the plugin was built with */
  uint32_t abi_minor;      /* MUSTER_ABI_MINOR the plugin was built with */
  uint32_t min_host_minor; /* oldest runtime minor that the plugin can work with */
  char id[64]; /* [a-z0-9_]+, unique in a runtime; breaks ties, so it is part of the contract */
  char version[32];     /* the plugin's own version, compared across ranks */
  char vendor[64];      /* who to ask */
  char build_tag[64];   /* MUSTER_BUILD_TAG: compiler/libc/sanitizer/device runtime */
  char interfaces[256]; /* space-separated interface names, e.g. "muster.backend/1
                           muster.bootstrap/1" */
  char probe_env[256];  /* space-separated environment variables that invalidate a cached probe */
  char
      probe_files[256]; /* space-separated absolute paths whose change invalidates a cached probe */
  /* ---- the functions: read only after the file has been opened ---- */

  /* Makes an instance. Loads nothing that is slow, starts no thread, touches no device. The host is
   * borrowed until close returns. [any-thread] [local] [no-block] */
  muster_status* (*open)(const muster_host* host, muster_instance** out_instance);
  /* Ends an instance; every group of it was destroyed before. Takes NULL. [any-thread] [local] */
  void (*close)(muster_instance* instance);
  /* The table of an interface named in `interfaces`, NULL for any other name; valid until the
   * process ends. [any-thread] [local] [no-block] */
  const void* (*get_interface)(muster_instance* instance, const char* name);
} muster_entry;

/* The first five fields, for an initialiser: MUSTER_PLUGIN_HEAD, "acme", "1.2.0", ...
 *
 * The plugin then needs a runtime of the minor that it was built with, since any slot of
 * muster_host may be used. A plugin that uses none that is newer, or looks with MUSTER_HAS_FIELD
 * before, defines MUSTER_MIN_HOST_MINOR before it includes this. */
#ifndef MUSTER_MIN_HOST_MINOR
#define MUSTER_MIN_HOST_MINOR MUSTER_ABI_MINOR
#endif
#define MUSTER_PLUGIN_HEAD                                                           \
  MUSTER_PLUGIN_MAGIC, MUSTER_PLUGIN_ENTRY_SIZE, MUSTER_ABI_MAJOR, MUSTER_ABI_MINOR, \
      MUSTER_MIN_HOST_MINOR

#define MUSTER_PLUGIN_ENTRY_SIZE MUSTER_STRUCT_SIZE(muster_entry, get_interface)
MUSTER_ASSERT_STRUCT_SIZE(muster_entry, MUSTER_PLUGIN_ENTRY_SIZE);
/* What discovery reads from the file: the frozen part. */
#define MUSTER_PLUGIN_ENTRY_FROZEN_SIZE MUSTER_STRUCT_SIZE(muster_entry, probe_files)

/* The build tag: "compiler/libc/sanitizer/device-runtime". A sanitizer or device runtime that
 * differs refuses; compiler and libc are noted. Define MUSTER_DEVICE_RUNTIME (e.g. "cuda13") before
 * including this header when the plugin's ABI depends on a device runtime's major. */
#if defined(__clang__)
#define MUSTER_BUILD_COMPILER "clang"
#elif defined(__GNUC__)
#define MUSTER_BUILD_COMPILER "gnu"
#else
#define MUSTER_BUILD_COMPILER "other"
#endif
#if defined(__GLIBC__)
#define MUSTER_BUILD_LIBC "glibc"
#else
#define MUSTER_BUILD_LIBC "other"
#endif
#if defined(__SANITIZE_ADDRESS__)
#define MUSTER_BUILD_SANITIZER "address"
#elif defined(__SANITIZE_THREAD__)
#define MUSTER_BUILD_SANITIZER "thread"
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MUSTER_BUILD_SANITIZER "address"
#elif __has_feature(thread_sanitizer)
#define MUSTER_BUILD_SANITIZER "thread"
#endif
#endif
#ifndef MUSTER_BUILD_SANITIZER
#define MUSTER_BUILD_SANITIZER "none"
#endif
#ifndef MUSTER_DEVICE_RUNTIME
#define MUSTER_DEVICE_RUNTIME "none"
#endif
#define MUSTER_BUILD_TAG \
  MUSTER_BUILD_COMPILER "/" MUSTER_BUILD_LIBC "/" MUSTER_BUILD_SANITIZER "/" MUSTER_DEVICE_RUNTIME

#endif

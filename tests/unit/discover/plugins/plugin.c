/* One source of every plugin that the discovery tests put into a directory; what differs comes by
 * macros. Its constructor leaves a trace when it may: a file named after the id, in the directory
 * named by MUSTER_TEST_TRACE_DIR. So a test sees which files were opened. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "muster/backend.h"
#include "muster/entry.h"

#ifndef PLUGIN_ID
#define PLUGIN_ID "good"
#endif
#ifndef PLUGIN_MAGIC
#define PLUGIN_MAGIC MUSTER_PLUGIN_MAGIC
#endif
#ifndef PLUGIN_MAJOR
#define PLUGIN_MAJOR MUSTER_ABI_MAJOR
#endif
#ifndef PLUGIN_MINOR
#define PLUGIN_MINOR MUSTER_ABI_MINOR
#endif
#ifndef PLUGIN_MIN_HOST_MINOR
#define PLUGIN_MIN_HOST_MINOR MUSTER_ABI_OLDEST_MINOR
#endif
#ifndef PLUGIN_TAG
#define PLUGIN_TAG MUSTER_BUILD_TAG
#endif
#ifndef PLUGIN_FILES
#define PLUGIN_FILES ""
#endif

__attribute__((constructor)) static void leave_trace(void) {
  const char* directory = getenv("MUSTER_TEST_TRACE_DIR");
  char path[4096];
  if (directory != NULL) {
    snprintf(path, sizeof(path), "%s/%s.%ld", directory, PLUGIN_ID, (long)getpid());
    FILE* file = fopen(path, "w");
    if (file != NULL) fclose(file);
  }
#ifdef CRASH_IN_CONSTRUCTOR
  raise(SIGSEGV);
#endif
}

#ifdef UNRESOLVED_SYMBOL
void a_function_that_nobody_has(void);
#endif
#ifdef MISSING_DEPENDENCY
void muster_test_dependency(void);
#endif

struct muster_instance {
  const muster_host* host;
};

static muster_status* instance_open(const muster_host* host, muster_instance** out) {
  muster_instance* instance = calloc(1, sizeof(*instance));
  if (instance == NULL) return host->status_make(host, MUSTER_RESOURCE_EXHAUSTED, "memory", NULL);
  instance->host = host;
  *out = instance;
#ifdef UNRESOLVED_SYMBOL
  a_function_that_nobody_has();
#endif
#ifdef MISSING_DEPENDENCY
  muster_test_dependency();
#endif
#ifdef CRASH_IN_OPEN
  abort();
#endif
  return NULL;
}

static void instance_close(muster_instance* instance) { free(instance); }

static muster_status* probe(muster_instance* instance, const muster_fact_sink* facts) {
  const char* rank = getenv("OMPI_COMM_WORLD_RANK");
  const char* bind_now = getenv("LD_BIND_NOW");
  char pid[32];
#ifdef CRASH_IN_PROBE
  raise(SIGFPE);
#endif
#ifdef EXIT_IN_PROBE
  exit(7);
#endif
#ifdef HANG_IN_PROBE
  for (;;) pause();
#endif
#ifdef UNAVAILABLE_IN_PROBE
  return instance->host->status_make(instance->host, MUSTER_UNAVAILABLE, "no device /dev/acme0",
                                     "load the module acme");
#endif
#ifdef WRONG_FACT
  facts->put(facts->context, "Not A Key", "1");
#endif
  snprintf(pid, sizeof(pid), "%ld", (long)getpid());
  facts->put(facts->context, "pid", pid);
  facts->put(facts->context, "mpi_rank", rank == NULL ? "none" : rank);
  facts->put(facts->context, "bind_now", bind_now == NULL ? "none" : bind_now);
  printf("what a plugin prints while it is probed goes nowhere\n");
  fflush(stdout);
  (void)instance;
  return NULL;
}

static const muster_option kOptions[] = {
    {MUSTER_OPTION_SIZE, MUSTER_OPTION_INTEGER, "depth", "4", "how deep", 1, 8}};
static const muster_backend kBackend = {.struct_size = MUSTER_BACKEND_SIZE,
                                        .priority = 10,
                                        .option_count = 1,
                                        .options = kOptions,
                                        .probe = probe};

static const void* instance_interface(muster_instance* instance, const char* name) {
  (void)instance;
#ifdef NO_TABLE
  name = "";
#endif
  return strcmp(name, MUSTER_BACKEND_INTERFACE) == 0 ? &kBackend : NULL;
}

#ifndef ENTRY_NAME
#define ENTRY_NAME muster_plugin_entry
#endif
extern MUSTER_PLUGIN_EXPORT const muster_entry ENTRY_NAME;
#define ENTRY_FIELDS                                                                             \
  {                                                                                              \
    PLUGIN_MAGIC, MUSTER_PLUGIN_ENTRY_SIZE, PLUGIN_MAJOR, PLUGIN_MINOR, PLUGIN_MIN_HOST_MINOR,   \
        PLUGIN_ID, "1.2.3", "Acme", PLUGIN_TAG, MUSTER_BACKEND_INTERFACE, "MUSTER_TEST_DEVICES", \
        PLUGIN_FILES, instance_open, instance_close, instance_interface                          \
  }
const muster_entry ENTRY_NAME = ENTRY_FIELDS;
#ifdef LTX_TWIN /* libltdl prefers <file>_LTX_<symbol> */
extern MUSTER_PLUGIN_EXPORT const muster_entry ltx_LTX_muster_plugin_entry;
const muster_entry ltx_LTX_muster_plugin_entry = ENTRY_FIELDS;
#endif

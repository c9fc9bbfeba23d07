/* A plugin that is kept as a binary: the backend "kept", in C, for ranks on one machine.
 *
 * It serves all_reduce (f32, sum), broadcast, all_gather and barrier on host memory, one call or a
 * batch, and uses what plugins do: two options, facts, rules, an exchange of file descriptors,
 * words that ranks wait on, a kernel of the runtime. Each rank owns a segment; a call is made of
 * rounds, in which every rank shows one chunk and looks at those of the others.
 *
 * Built with the headers of later.py, of a minor to come, it also uses what those have more. */
#define _GNU_SOURCE
/* It looks before it uses what is newer. */
#define MUSTER_MIN_HOST_MINOR 9
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "muster/backend.h"

enum { CHUNK = 4096, MOST_RANKS = 8 };

/* Words that different ranks wait on are a cache line apart. */
typedef struct segment {
  muster_wait_word written; /* rounds that the owner has filled `chunk` for */
  char line[64 - sizeof(muster_wait_word)];
  muster_wait_word read; /* rounds that the owner has read in everybody's chunk */
  char other_line[64 - sizeof(muster_wait_word)];
  unsigned char chunk[CHUNK];
} segment;

struct muster_instance {
  const muster_host* host;
};

struct muster_backend_group {
  const muster_host* host;
  muster_host_group* group;
  const muster_group_info* info;
  muster_host_reduce sum;
  uint64_t rounds;
  int32_t fd;
  segment* segments[MOST_RANKS];
};

static muster_status* fail(const muster_host* host, muster_code code, const char* cause) {
  return host->status_make(host, code, cause, NULL);
}

static muster_status* probe(muster_instance* instance, const muster_fact_sink* facts) {
  facts->put(facts->context, "segment", instance->host->option(instance->host, "layout"));
  return NULL;
}

static muster_rule rule_of(const char* name, uint64_t ops) {
  muster_rule rule;
  memset(&rule, 0, sizeof(rule));
  rule.struct_size = MUSTER_RULE_SIZE;
  rule.ops = ops;
  rule.determinism = MUSTER_SIZE_INVARIANT;
  strncpy(rule.name, name, sizeof(rule.name) - 1);
  return rule;
}

static muster_status* offer(muster_instance* instance, const muster_offer_query* query) {
  muster_rule rule;
  (void)instance;
  if (query->size > MOST_RANKS) {
    query->decline(query->context, "it serves 8 ranks at most");
    return NULL;
  }
  for (uint32_t rank = 0; rank < query->size; ++rank) {
    const char* const layout = query->fact(query->context, rank, "segment");
    if (query->places[rank].node != query->places[0].node || layout == NULL ||
        strcmp(layout, "one") != 0) {
      query->decline(query->context, "not all ranks share memory in its way");
      return NULL;
    }
  }
  rule = rule_of("moves", MUSTER_BIT(MUSTER_BROADCAST) | MUSTER_BIT(MUSTER_ALL_GATHER));
  rule.dtypes = MUSTER_BIT(MUSTER_DTYPE_END) - MUSTER_BIT(MUSTER_I8);
  query->add_rule(query->context, &rule);
  rule = rule_of("sums", MUSTER_BIT(MUSTER_ALL_REDUCE));
  rule.dtypes = MUSTER_BIT(MUSTER_F32);
  rule.redops = MUSTER_BIT(MUSTER_SUM);
  rule.bytes_to = strtoull(query->option(query->context, "largest"), NULL, 10);
#ifdef MUSTER_LATER_MINOR
  /* A value more in a mask, and rules with something more that narrows them down. */
  rule.ops |= MUSTER_BIT(60);
  query->add_rule(query->context, &rule);
  rule.score = 100;
  rule.flags = 1u << 30;
  strcpy(rule.name, "later_flag");
  query->add_rule(query->context, &rule);
  rule.flags = 0;
  rule.determinism = MUSTER_DETERMINISM_END;
  strcpy(rule.name, "later_class");
#endif
  query->add_rule(query->context, &rule);
  rule = rule_of("words", MUSTER_BIT(MUSTER_BARRIER));
  query->add_rule(query->context, &rule);
  return NULL;
}

static void group_destroy(muster_backend_group* group) {
  if (group == NULL) return;
  for (uint32_t rank = 0; rank < MOST_RANKS; ++rank) {
    if (group->segments[rank] != NULL) munmap(group->segments[rank], sizeof(segment));
  }
  if (group->fd >= 0) close(group->fd);
  free(group);
}

static muster_status* group_prepare(muster_instance* instance, muster_host_group* host_group,
                                    muster_backend_group** out) {
  const muster_host* const host = instance->host;
  muster_kernel_key key;
  muster_backend_group* const group = calloc(1, sizeof(*group));
  if (group == NULL) return fail(host, MUSTER_RESOURCE_EXHAUSTED, "out of memory");
  memset(&key, 0, sizeof(key));
  key.struct_size = MUSTER_KERNEL_KEY_SIZE;
  key.dtype = MUSTER_F32;
  key.redop = MUSTER_SUM;
  key.family = MUSTER_FAMILY_HOST_REDUCE;
  group->host = host;
  group->group = host_group;
  group->info = host->group_info(host_group);
  group->sum = (muster_host_reduce)host->kernel(host, &key);
  group->fd = memfd_create("kept", MFD_CLOEXEC);
  if (group->sum == NULL || group->fd < 0 || ftruncate(group->fd, sizeof(segment)) != 0) {
    group_destroy(group);
    return fail(host, MUSTER_UNAVAILABLE, "no kernel, or no shared memory");
  }
  *out = group;
  return NULL;
}

static muster_status* group_connect(muster_backend_group* group) {
  int32_t fds[MOST_RANKS];
  muster_status* const status = group->host->exchange_fds(group->group, &group->fd, 1, fds);
  uint32_t mapped = 0;
  if (status != NULL) return status;
  for (uint32_t rank = 0; rank < group->info->size; ++rank) {
    void* const memory =
        mmap(NULL, sizeof(segment), PROT_READ | PROT_WRITE, MAP_SHARED, fds[rank], 0);
    close(fds[rank]);
    if (memory == MAP_FAILED) continue;
    group->segments[rank] = memory;
    ++mapped;
  }
  if (mapped == group->info->size) return NULL;
  return fail(group->host, MUSTER_RESOURCE_EXHAUSTED, "cannot map a peer's memory");
}

/* Waits until every rank's word says `rounds`. */
static muster_status* meet(muster_backend_group* group, int read, uint64_t rounds) {
  for (uint32_t rank = 0; rank < group->info->size; ++rank) {
    segment* const theirs = group->segments[rank];
    muster_status* const status =
        group->host->wait(group->group, read ? &theirs->read : &theirs->written, rounds, rank);
    if (status != NULL) return status;
  }
  return NULL;
}

/* One round up to where every rank's chunk may be read. */
static muster_status* show(muster_backend_group* group, const void* data, uint64_t bytes) {
  segment* const mine = group->segments[group->info->rank];
  muster_status* const status = meet(group, 1, group->rounds);
  if (status != NULL) return status;
  ++group->rounds;
  if (bytes != 0) memcpy(mine->chunk, data, bytes);
  group->host->signal(&mine->written, group->rounds);
  return meet(group, 0, group->rounds);
}

static void have_read(muster_backend_group* group) {
  group->host->signal(&group->segments[group->info->rank]->read, group->rounds);
}

static muster_status* execute(muster_backend_group* group, const muster_call* call) {
  const uint64_t whole = call->count * muster_dtype_size(call->dtype);
  const int shows = call->op != MUSTER_BROADCAST || call->root == group->info->rank;
  uint64_t at = 0;
  do { /* a call of zero elements still takes part */
    const uint64_t bytes = whole - at < CHUNK ? whole - at : CHUNK;
    const void* chunks[MOST_RANKS];
    muster_status* const status =
        show(group, shows ? (const char*)call->send + at : NULL, shows ? bytes : 0);
    if (status != NULL) return status;
    for (uint32_t rank = 0; rank < group->info->size; ++rank) {
      chunks[rank] = group->segments[rank]->chunk;
    }
    if (bytes != 0 && call->op == MUSTER_ALL_REDUCE) {
      group->sum((char*)call->recv + at, chunks, group->info->size, bytes / sizeof(float),
                 call->scalar, 0);
    } else if (bytes != 0 && call->op == MUSTER_BROADCAST) {
      memcpy((char*)call->recv + at, chunks[call->root], bytes);
    } else if (bytes != 0) {
      for (uint32_t rank = 0; rank < group->info->size; ++rank) {
        memcpy((char*)call->recv + rank * whole + at, chunks[rank], bytes);
      }
    }
    have_read(group);
    at += bytes;
  } while (at < whole);
  return NULL;
}

static muster_status* execute_batch(muster_backend_group* group, const muster_call* calls,
                                    uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    muster_status* const status = execute(group, &MUSTER_AT(muster_call, calls, i));
    if (status != NULL) return status;
  }
  return NULL;
}

static const muster_option options[] = {
    {.struct_size = MUSTER_OPTION_SIZE,
     .type = MUSTER_OPTION_TEXT,
     .name = "layout",
     .default_value = "one",
     .help = "how segments are laid out"},
    {.struct_size = MUSTER_OPTION_SIZE,
     .type = MUSTER_OPTION_BYTES,
     .name = "largest",
     .default_value = "1048576",
     .help = "bytes per rank of the largest call that is taken",
     .minimum = 1,
     .maximum = INT64_C(1) << 40},
};

static const muster_backend table = {.struct_size = MUSTER_BACKEND_SIZE,
                                     .priority = 90,
                                     .option_count = sizeof(options) / sizeof(options[0]),
                                     .options = options,
                                     .probe = probe,
                                     .offer = offer,
                                     .group_prepare = group_prepare,
                                     .group_connect = group_connect,
                                     .execute = execute,
                                     .execute_batch = execute_batch,
                                     .group_destroy = group_destroy};

static muster_status* open_instance(const muster_host* host, muster_instance** out) {
  muster_instance* const instance = malloc(sizeof(*instance));
  if (instance == NULL) return fail(host, MUSTER_RESOURCE_EXHAUSTED, "out of memory");
  instance->host = host;
#ifdef MUSTER_LATER_MINOR
  if (MUSTER_HAS_FIELD(host, muster_host, later)) host->later(host);
#endif
  *out = instance;
  return NULL;
}

static void close_instance(muster_instance* instance) { free(instance); }

static const void* get_interface(muster_instance* instance, const char* name) {
  (void)instance;
  return strcmp(name, MUSTER_BACKEND_INTERFACE) == 0 ? &table : NULL;
}

extern MUSTER_PLUGIN_EXPORT const muster_entry muster_plugin_entry;
const muster_entry muster_plugin_entry = {MUSTER_PLUGIN_HEAD,
                                          "kept",
                                          "1.0.0",
                                          "muster",
                                          MUSTER_BUILD_TAG,
                                          MUSTER_BACKEND_INTERFACE,
                                          "",
                                          "",
                                          open_instance,
                                          close_instance,
                                          get_interface};

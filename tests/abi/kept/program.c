/* A program that is kept as a binary, linked with libmuster.so.0 of its minor.
 *
 * usage: program THREADS [BACKEND]
 * With THREADS > 0 that many ranks are threads of this process, with 0 it is one rank of
 * `muster run`. Makes calls of every kind, checks their results, and says who served all_reduce;
 * fails when that is not BACKEND. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "muster/muster.h"
#include "muster/parallel.h"
#include "muster/plan.h"
#include "muster/tensors.h"

enum { COUNT = 3000, MOST_RANKS = 8 };

typedef struct seat {
  muster_threads* world;
  const char* backend;
  uint32_t rank;
  int wrong;
} seat;

/* Says what failed; 1 when something did. */
static int failed(const char* what, muster_status* status) {
  if (status == NULL) return 0;
  fprintf(stderr, "%s: %s (%s)\n", what, muster_status_message(status),
          muster_code_name(muster_status_code(status)));
  muster_status_release(status);
  return 1;
}

static int expect(const char* what, int holds) {
  if (!holds) fprintf(stderr, "%s: wrong\n", what);
  return holds ? 0 : 1;
}

/* Sum over ranks of (i + rank). */
static float summed(int i, uint32_t size) {
  return (float)((uint32_t)i * size + size * (size - 1) / 2);
}

static int sums(const float* values, uint32_t size) {
  for (int i = 0; i < COUNT; ++i) {
    if (values[i] != summed(i, size)) return 0;
  }
  return 1;
}

static muster_call sum_of(const float* send, float* recv) {
  muster_call call = muster_call_init(MUSTER_ALL_REDUCE, MUSTER_F32);
  call.redop = MUSTER_SUM;
  call.count = COUNT;
  call.send = send;
  call.recv = recv;
  return call;
}

static int plain_calls(muster_group* group, const float* send, float* recv) {
  const uint32_t size = muster_group_size(group);
  int wrong = failed("all_reduce",
                     muster_all_reduce(group, send, recv, COUNT, MUSTER_F32, MUSTER_SUM, NULL));
  wrong += expect("all_reduce", sums(recv, size));
  wrong +=
      failed("broadcast", muster_broadcast(group, send, recv, COUNT, MUSTER_F32, size - 1, NULL));
  wrong += expect("broadcast", recv[7] == (float)(7 + size - 1));
  const int32_t mine = (int32_t)muster_group_rank(group);
  int32_t all[MOST_RANKS];
  wrong += failed("all_gather", muster_all_gather(group, &mine, all, 1, MUSTER_I32, NULL));
  for (uint32_t rank = 0; rank < size; ++rank) {
    wrong += expect("all_gather", all[rank] == (int32_t)rank);
  }
  return wrong + failed("barrier", muster_barrier(group));
}

static int explicit_calls(muster_group* group, const float* send, float* recv) {
  const uint32_t size = muster_group_size(group);
  const muster_call call = sum_of(send, recv);
  memset(recv, 0, COUNT * sizeof(float));
  int wrong = failed("execute", muster_execute(group, &call));
  wrong += expect("execute", sums(recv, size));

  float other[COUNT];
  const muster_call batch[2] = {sum_of(send, recv), sum_of(send, other)};
  memset(recv, 0, COUNT * sizeof(float));
  wrong += failed("batch", muster_batch(group, batch, 2));
  wrong += expect("batch", sums(recv, size) && sums(other, size));

  muster_work* work = NULL;
  memset(recv, 0, COUNT * sizeof(float));
  wrong += failed("start", muster_start(group, &call, &work));
  wrong += failed("wait", muster_work_wait(work));
  muster_work_release(work);
  wrong += expect("start", sums(recv, size));

  muster_plan* plan = NULL;
  wrong += failed("plan", muster_plan_create(group, &call, &plan));
  for (int i = 0; i < 2 && plan != NULL; ++i) {
    memset(recv, 0, COUNT * sizeof(float));
    wrong += failed("replay", i == 0 ? muster_plan_run(plan) : muster_plan_replay(plan));
    wrong += expect("replay", sums(recv, size));
  }
  muster_plan_release(plan);
  return wrong;
}

static int memory_and_bytes(muster_group* group) {
  float* memory = NULL;
  int wrong =
      failed("mem_alloc", muster_mem_alloc(group, sizeof(float), MUSTER_HOST, (void**)&memory));
  if (wrong != 0) return wrong;
  *memory = 2;
  wrong +=
      failed("in place", muster_all_reduce(group, memory, memory, 1, MUSTER_F32, MUSTER_SUM, NULL));
  wrong += expect("in place", *memory == 2 * (float)muster_group_size(group));
  wrong += failed("mem_free", muster_mem_free(group, memory));

  muster_layout_sizes sizes;
  uint32_t ranks[2];
  uint32_t count = 0;
  memset(&sizes, 0, sizeof(sizes));
  sizes.struct_size = MUSTER_LAYOUT_SIZES_SIZE;
  wrong += failed("parse", muster_layout_parse("tp=2,pp=2", &sizes));
  wrong += failed("ranks", muster_layout_ranks(&sizes, 4, MUSTER_ROLE_PP, 1, ranks, 2, &count));
  wrong += expect("ranks", count == 2 && ranks[0] == 1 && ranks[1] == 3);

  muster_dict* dict = NULL;
  muster_dict_entry entry;
  memset(&entry, 0, sizeof(entry));
  entry.struct_size = MUSTER_DICT_ENTRY_SIZE;
  wrong += failed("dict", muster_dict_create(&dict));
  wrong += failed("value", muster_dict_add_value(dict, "step", "12", 2));
  wrong += failed("find", muster_dict_find(dict, "step", &entry));
  wrong += expect("find", entry.kind == MUSTER_DICT_VALUE && entry.bytes == 2);
  muster_dict_release(dict);
  return wrong;
}

static int served_by(muster_group* group, const float* send, float* recv, const char* backend) {
  const muster_call call = sum_of(send, recv);
  const char* serves = NULL;
  if (failed("backend", muster_group_backend(group, &call, &serves))) return 1;
  if (muster_group_rank(group) == 0) printf("all_reduce by %s\n", serves);
  return backend == NULL ? 0 : expect("the backend", strcmp(serves, backend) == 0);
}

static int run(muster_runtime* runtime, const char* backend) {
  muster_group_options options;
  muster_group* group = NULL;
  memset(&options, 0, sizeof(options));
  options.struct_size = MUSTER_GROUP_OPTIONS_SIZE;
  options.name = "kept";
  if (failed("group_create", muster_group_create(runtime, &options, NULL, 0, &group))) return 1;
  float send[COUNT];
  float recv[COUNT];
  for (int i = 0; i < COUNT; ++i) send[i] = (float)(i + (int)muster_group_rank(group));
  int wrong = served_by(group, send, recv, backend);
  wrong += plain_calls(group, send, recv);
  wrong += explicit_calls(group, send, recv);
  wrong += memory_and_bytes(group);
  return wrong + failed("group_destroy", muster_group_destroy(group));
}

static void* run_seat(void* pointer) {
  seat* const mine = pointer;
  muster_runtime_options options;
  muster_runtime* runtime = NULL;
  memset(&options, 0, sizeof(options));
  options.struct_size = MUSTER_RUNTIME_OPTIONS_SIZE;
  options.threads = mine->world;
  options.thread_rank = mine->rank;
  mine->wrong = failed("init", muster_init(&options, &runtime));
  if (mine->wrong != 0) return NULL;
  mine->wrong = run(runtime, mine->backend);
  muster_finalize(runtime);
  return NULL;
}

int main(int argc, char** argv) {
  const uint32_t size = argc > 1 ? (uint32_t)atoi(argv[1]) : 2;
  const char* const backend = argc > 2 ? argv[2] : NULL;
  pthread_t threads[MOST_RANKS];
  seat seats[MOST_RANKS];
  muster_threads* world = NULL;
  int wrong = 0;
  if (size > MOST_RANKS) return 2;
  if (size == 0) {
    seats[0] = (seat){NULL, backend, 0, 0};
    run_seat(&seats[0]);
    return seats[0].wrong == 0 ? 0 : 1;
  }
  if (failed("threads_create", muster_threads_create(size, &world))) return 1;
  for (uint32_t rank = 0; rank < size; ++rank) {
    seats[rank] = (seat){world, backend, rank, 0};
    if (pthread_create(&threads[rank], NULL, run_seat, &seats[rank]) != 0) return 1;
  }
  for (uint32_t rank = 0; rank < size; ++rank) {
    pthread_join(threads[rank], NULL);
    wrong += seats[rank].wrong;
  }
  muster_threads_release(world);
  return wrong == 0 ? 0 : 1;
}

/* A program as a stranger writes it: four ranks as threads, one all_reduce over all, one by role,
 * whatever backend serves. */
#include <muster/muster.h>
#include <muster/parallel.h>
#include <pthread.h>
#include <stdio.h>

enum { RANKS = 4, COUNT = 1000 };

typedef struct rank_arguments {
  muster_threads* world;
  uint32_t rank;
  int wrong;
} rank_arguments;

/* Says what failed; nonzero when something did. */
static int failed(const char* what, muster_status* status) {
  if (status == NULL) return 0;
  fprintf(stderr, "%s: %s\n", what, muster_status_message(status));
  muster_status_release(status);
  return 1;
}

static int reduce_and_check(muster_group* group, uint32_t rank) {
  float send[COUNT];
  float recv[COUNT];
  for (int i = 0; i < COUNT; ++i) send[i] = (float)(i + (int)rank);
  if (failed("muster_all_reduce",
             muster_all_reduce(group, send, recv, COUNT, MUSTER_F32, MUSTER_SUM, NULL))) {
    return 1;
  }
  int wrong = 0;
  for (int i = 0; i < COUNT; ++i) wrong += recv[i] != (float)(RANKS * i + 6);
  muster_call call = muster_call_init(MUSTER_ALL_REDUCE, MUSTER_F32);
  call.redop = MUSTER_SUM;
  call.count = COUNT;
  call.send = send;
  call.recv = recv;
  const char* backend = NULL;
  if (failed("muster_group_backend", muster_group_backend(group, &call, &backend))) return 1;
  if (rank == 0) printf("all_reduce by %s: %d wrong\n", backend, wrong);
  return wrong;
}

/* Two stages of two ranks: tp is [0,1] and [2,3], pp is [0,2] and [1,3]. */
static int reduce_by_role(muster_runtime* runtime, uint32_t rank) {
  muster_layout_sizes sizes;
  if (failed("muster_layout_parse", muster_layout_parse("tp=2,pp=2", &sizes))) return 1;
  muster_layout* layout = NULL;
  if (failed("muster_layout_create", muster_layout_create(runtime, &sizes, NULL, &layout))) {
    return 1;
  }
  const int32_t mine = (int32_t)rank;
  int32_t tp = -1;
  int32_t pp = -1;
  int wrong = failed("tp", muster_role_all_reduce(layout, MUSTER_ROLE_TP, &mine, &tp, 1, MUSTER_I32,
                                                  MUSTER_SUM, NULL));
  wrong += failed("pp", muster_role_all_reduce(layout, MUSTER_ROLE_PP, &mine, &pp, 1, MUSTER_I32,
                                               MUSTER_SUM, NULL));
  wrong += tp != (rank < 2 ? 1 : 5);
  wrong += pp != (rank % 2 == 0 ? 2 : 4);
  return wrong + failed("muster_layout_destroy", muster_layout_destroy(layout));
}

static void* run_rank(void* arguments) {
  rank_arguments* mine = arguments;
  mine->wrong = 1;
  muster_runtime_options options = {0};
  options.struct_size = MUSTER_RUNTIME_OPTIONS_SIZE;
  options.threads = mine->world;
  options.thread_rank = mine->rank;
  muster_runtime* runtime = NULL;
  if (failed("muster_init", muster_init(&options, &runtime))) return NULL;
  muster_group* group = NULL;
  if (!failed("muster_group_create", muster_group_create(runtime, NULL, NULL, 0, &group))) {
    mine->wrong = reduce_and_check(group, mine->rank);
    mine->wrong += failed("muster_group_destroy", muster_group_destroy(group));
    mine->wrong += reduce_by_role(runtime, mine->rank);
  }
  muster_finalize(runtime);
  return NULL;
}

int main(void) {
  muster_threads* world = NULL;
  if (failed("muster_threads_create", muster_threads_create(RANKS, &world))) return 1;
  pthread_t threads[RANKS];
  rank_arguments arguments[RANKS];
  for (uint32_t rank = 0; rank < RANKS; ++rank) {
    arguments[rank] = (rank_arguments){world, rank, 1};
    if (pthread_create(&threads[rank], NULL, run_rank, &arguments[rank]) != 0) return 1;
  }
  int wrong = 0;
  for (uint32_t rank = 0; rank < RANKS; ++rank) {
    pthread_join(threads[rank], NULL);
    wrong += arguments[rank].wrong;
  }
  muster_threads_release(world);
  return wrong == 0 ? 0 : 1;
}

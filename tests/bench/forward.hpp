// A function of a shared library that does nothing but call another one and look at its status.
#ifndef MUSTER_TESTS_BENCH_FORWARD_HPP
#define MUSTER_TESTS_BENCH_FORWARD_HPP

#include "muster/backend.h"

struct Forward {
  muster_status* (*execute)(muster_backend_group*, const muster_call*);
  muster_backend_group* group;
  const muster_call* call;
};

extern "C" __attribute__((visibility("default"))) muster_status* bench_forward(Forward* forward);

#endif

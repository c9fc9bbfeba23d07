/* What every other header of this folder builds on: language glue, ownership marks, struct growth.
 *
 * C11 and C++17. Nothing here needs a library. */
#ifndef MUSTER_BASE_H
#define MUSTER_BASE_H

#include <stddef.h>
#include <stdint.h>

/* The ABI of this tree; the project's version is this with a patch number. What a minor may add,
 * and what is a break: abi/README.md, "Versions". */
#define MUSTER_ABI_MAJOR 0
#define MUSTER_ABI_MINOR 9
/* The oldest plugin minor (within the same major) that this runtime still serves. */
#define MUSTER_ABI_OLDEST_MINOR 9

#ifdef __cplusplus
#define MUSTER_EXTERN_C_BEGIN extern "C" {
#define MUSTER_EXTERN_C_END }
#define MUSTER_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define MUSTER_EXTERN_C_BEGIN
#define MUSTER_EXTERN_C_END
#define MUSTER_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif

/* Functions that libmuster exports. */
#define MUSTER_API __attribute__((visibility("default")))

/* The one symbol that a plugin exports. */
#define MUSTER_PLUGIN_EXPORT __attribute__((visibility("default")))

/* Marks a pointer whose ownership passes: as a result or out-parameter to the caller, as a
 * parameter to the callee. An unmarked pointer is borrowed for the duration of the call, unless its
 * comment says otherwise. Who makes a thing frees it: every owned type names its release function,
 * which returns void and takes NULL. Out-parameters are untouched when a function fails. */
#define MUSTER_OWN

/* The size that a struct declares in its struct_size: the end of its last field, never sizeof, so
 * that a field added into what was tail padding is not mistaken for one that the older side filled
 * in. Rationale: two 32-bit words give the same sizeof as one, aligned to 8. */
#define MUSTER_STRUCT_SIZE(type, last_field) \
  ((uint32_t)(offsetof(type, last_field) + sizeof(((type*)0)->last_field)))

/* Fails to compile when `size_macro` no longer names the last field, or padding crept in at the
 * tail. */
#define MUSTER_ASSERT_STRUCT_SIZE(type, size_macro) \
  MUSTER_STATIC_ASSERT(sizeof(type) == (size_macro), #type ": stale size macro or tail padding")

/* True when a struct that came from the other side is new enough to hold `field`. */
#define MUSTER_HAS_FIELD(pointer, type, field) \
  ((pointer)->struct_size >= MUSTER_STRUCT_SIZE(type, field))

/* Element `index` of an array of structs that can grow (the calls of a batch, a backend's options):
 * whoever made it may know a longer struct, so the size that the first element states is the
 * distance between elements. `array[index]` is wrong for any index but 0. */
#define MUSTER_AT(type, array, index) \
  (*(const type*)(const void*)((const char*)(array) + (size_t)(index) * (array)->struct_size))

#endif

/*
 * The memory of one unpacked protobuf: handed out piece by piece up to a fixed total, given back as
 * a whole. Inside common/wire only.
 */
#ifndef SETPAY_WIRE_ARENA_H
#define SETPAY_WIRE_ARENA_H

#include "common/base/error.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

struct setpay_arena;

/* At most max bytes in all. secret: one piece of secret memory of that size, cleansed at the end.
 * SETPAY_E_NOMEM. */
enum setpay_error setpay_arena_new(size_t max, bool secret,
                                   struct setpay_arena **arena) SETPAY_MUST_CHECK;
void setpay_arena_free(struct setpay_arena *arena);
/* Zeroed, aligned for any type. NULL where max or the memory is exhausted. */
void *setpay_arena_take(struct setpay_arena *arena, size_t size);
/* Whether max was the reason of a NULL. */
bool setpay_arena_is_exhausted(const struct setpay_arena *arena);
/* For protobuf-c: takes from the arena, frees nothing. Lives in the arena. */
ProtobufCAllocator *setpay_arena_allocator(struct setpay_arena *arena);

#endif

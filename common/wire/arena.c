/*
 * Bounded memory for unpacking (rule A1).
 *
 * A packed message can ask for far more memory than it has bytes: 64 KiB of empty items would take
 * megabytes. So protobuf-c gets an allocator that counts, and stops at a total. Pieces are never
 * freed one by one; what protobuf-c gives back early stays until the whole arena goes.
 *
 * An arena for secrets is one block of secret memory: nothing of an instruction is ever on the
 * ordinary heap, and all of it is cleansed whatever the outcome was.
 */
#include "common/wire/arena.h"

#include "common/base/secret.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK_BYTES ((size_t)8 * 1024)

struct block {
    struct block *next;
    size_t size;
    size_t used;
    alignas(max_align_t) uint8_t bytes[];
};

struct setpay_arena {
    ProtobufCAllocator allocator;
    struct block *blocks;
    struct setpay_secret secret; /* in use where size is not 0 */
    size_t secret_used;
    size_t max;
    size_t taken;
    bool exhausted;
};

static void *allocator_take(void *arena, size_t size)
{
    return setpay_arena_take(arena, size);
}

static void allocator_free(void *arena, void *memory)
{
    (void)arena;
    (void)memory;
}

enum setpay_error setpay_arena_new(size_t max, bool secret, struct setpay_arena **arena)
{
    struct setpay_arena *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->allocator = (ProtobufCAllocator){
        .alloc = allocator_take, .free = allocator_free, .allocator_data = made};
    made->max = max;
    if (secret) {
        enum setpay_error error = setpay_secret_alloc(&made->secret, max);
        if (error != SETPAY_OK) {
            free(made);
            return error;
        }
    }
    *arena = made;
    return SETPAY_OK;
}

void setpay_arena_free(struct setpay_arena *arena)
{
    if (arena == NULL)
        return;
    while (arena->blocks != NULL) {
        struct block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
    setpay_secret_clear(&arena->secret);
    free(arena);
}

static size_t rounded(size_t size)
{
    size_t step = alignof(max_align_t);
    return (size + step - 1) / step * step;
}

void *setpay_arena_take(struct setpay_arena *arena, size_t size)
{
    /* Two steps, so that rounding can't overflow. */
    if (size <= arena->max)
        size = rounded(size == 0 ? 1 : size);
    if (size > arena->max - arena->taken) {
        arena->exhausted = true;
        return NULL;
    }
    if (arena->secret.size != 0) {
        void *piece = arena->secret.data + arena->secret_used;
        arena->secret_used += size;
        arena->taken += size;
        return piece;
    }
    struct block *block = arena->blocks;
    if (block == NULL || size > block->size - block->used) {
        size_t room = size > ARENA_BLOCK_BYTES ? size : ARENA_BLOCK_BYTES;
        block = calloc(1, sizeof(*block) + room);
        if (block == NULL)
            return NULL;
        block->size = room;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *piece = block->bytes + block->used;
    block->used += size;
    arena->taken += size;
    return piece;
}

bool setpay_arena_is_exhausted(const struct setpay_arena *arena)
{
    return arena->exhausted;
}

ProtobufCAllocator *setpay_arena_allocator(struct setpay_arena *arena)
{
    return &arena->allocator;
}

/*
 * Memory that is given back is cleansed, whoever gives it back.
 *
 * What our own code knows to be secret lives in secret memory (secret.h). But what came in or goes
 * out passes through libraries that copy it into memory of their own: TLS records, event buffers,
 * parsed messages, rows. Such copies would live on in freed memory for as long as nobody needs that
 * very piece again: for an envelope that rule M7 wants gone within seconds, for years perhaps. Each
 * library can be given an allocator, in its own way, and a library of theirs can not; so it is done
 * once, where all of them come together: this file takes the place of the C library's free and
 * realloc in every program that is linked with it, as the C library foresees ("Replacing malloc" in
 * its manual), and does nothing but overwrite what is given back.
 *
 * It costs about as much as writing that memory once: the pieces of a payment are some hundred
 * kilobytes, a few microseconds.
 *
 * What always holds: a block keeps its place or is moved by copying; no block is left behind
 * uncleansed, neither by free nor by growing, nor the end of one that shrinks.
 *
 * The sanitisers bring an allocator of their own, which overwrites nothing and is for tests alone;
 * a C library other than glibc has no names for what lies behind its allocator. There the
 * libraries' memory is as they leave it, and setpay_memory_is_cleansed says so.
 */
#include "common/base/memory.h"

#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GLIBC__) && !defined(SETPAY_SANITIZED)

void __libc_free(void *memory);

bool setpay_memory_is_cleansed(void)
{
    return true;
}

void free(void *memory)
{
    int error = errno; /* which free leaves alone */
    if (memory != NULL)
        explicit_bzero(memory, malloc_usable_size(memory));
    __libc_free(memory);
    errno = error;
}

void *realloc(void *memory, size_t size)
{
    if (memory == NULL)
        return malloc(size);
    if (size == 0) { /* as glibc does */
        free(memory);
        return NULL;
    }
    size_t room = malloc_usable_size(memory);
    /* What still fits stays, unless most of it would be wasted. */
    if (size <= room && size >= room / 2) {
        explicit_bzero((unsigned char *)memory + size, room - size);
        return memory;
    }
    void *moved = malloc(size);
    if (moved == NULL)
        return NULL;
    memcpy(moved, memory, size < room ? size : room);
    free(memory);
    return moved;
}

#else

bool setpay_memory_is_cleansed(void)
{
    return false;
}

#endif

/*
 * Memory that is given back is overwritten, by whichever library it was used. Each test writes a
 * text that stands nowhere else, lets go of it, and looks through all of the process's own memory.
 */
#include "common/base/memory.h"

#include <errno.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TEXT_SIZE 24

/* What is looked for is made anew for each test, and kept only in a form that is not it. */
static uint8_t hidden[TEXT_SIZE];

static void text_write(uint8_t *out)
{
    for (size_t i = 0; i < TEXT_SIZE; i++)
        out[i] = hidden[i] ^ 0x5a;
}

static size_t count_in(const uint8_t *bytes, size_t size)
{
    size_t count = 0;
    for (size_t at = 0; at + TEXT_SIZE <= size; at++) {
        size_t same = 0;
        while (same < TEXT_SIZE && bytes[at + same] == (hidden[same] ^ 0x5a))
            same++;
        count += same == TEXT_SIZE;
    }
    return count;
}

/* How often the text stands in memory that can be written to. The copy through which it is looked
 * at is not its own: static, and skipped. */
static size_t count_in_memory(void)
{
    static uint8_t chunk[1 << 16];
    char line[512];
    size_t count = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    assert_true(maps != NULL && memory >= 0);
    while (fgets(line, sizeof line, maps) != NULL) {
        char *rest;
        uintptr_t begin = strtoull(line, &rest, 16);
        uintptr_t end = *rest == '-' ? strtoull(rest + 1, &rest, 16) : begin;
        if (strncmp(rest, " rw", 3) != 0)
            continue;
        for (uintptr_t at = begin; at < end; at += sizeof chunk - TEXT_SIZE) {
            memset(chunk, 0, sizeof chunk);
            size_t want = end - at < sizeof chunk ? end - at : sizeof chunk;
            ssize_t got = pread(memory, chunk, want, (off_t)at);
            if (got <= 0)
                break;
            uintptr_t own = (uintptr_t)chunk;
            if (at < own + sizeof chunk && own < at + want) /* holds what was read before */
                continue;
            count += count_in(chunk, (size_t)got);
        }
    }
    memset(chunk, 0, sizeof chunk);
    fclose(maps);
    close(memory);
    return count;
}

static int set_up(void **state)
{
    static unsigned seed = 1;
    (void)state;
    seed++;
    for (size_t i = 0; i < TEXT_SIZE; i++)
        hidden[i] = (uint8_t)(seed * 31 + i * i * 7 + 129);
    return 0;
}

/* A sanitiser brings an allocator of its own. (cmocka counts a skip in a set-up as a failure.) */
static void only_where_memory_is_cleansed(void)
{
    if (!setpay_memory_is_cleansed())
        skip();
}

static void free_overwrites_blocks_of_every_size(void **state)
{
    (void)state;
    only_where_memory_is_cleansed();
    for (size_t size = TEXT_SIZE; size < (1 << 20); size = size * 2 + 5) {
        uint8_t *block = malloc(size);
        assert_non_null(block);
        memset(block, 0, size);
        text_write(block + size - TEXT_SIZE);
        if (size < 4096) /* the search is slow, and proves itself once for each kind of block */
            assert_int_equal(count_in_memory(), 1);
        free(block);
        assert_int_equal(count_in_memory(), 0);
    }
}

static void growing_leaves_no_copy_behind(void **state)
{
    (void)state;
    only_where_memory_is_cleansed();
    uint8_t *block = malloc(64);
    assert_non_null(block);
    text_write(block + 32);
    void *behind = malloc(64); /* so that it can't grow where it is */
    for (size_t size = 200; size < 400000; size *= 7) {
        uint8_t *grown = realloc(block, size);
        assert_non_null(grown);
        block = grown;
        assert_int_equal(count_in(block, 64), 1);
        assert_int_equal(count_in_memory(), 1);
    }
    free(block);
    free(behind);
    assert_int_equal(count_in_memory(), 0);
}

static void shrinking_leaves_no_end_behind(void **state)
{
    (void)state;
    only_where_memory_is_cleansed();
    static const size_t sizes[] = {900, 600, 100}; /* in place, and moved */
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t *block = malloc(1000);
        assert_non_null(block);
        text_write(block + 1000 - TEXT_SIZE);
        uint8_t *shrunk = realloc(block, sizes[i]);
        assert_non_null(shrunk);
        assert_int_equal(count_in_memory(), 0);
        free(shrunk);
    }
}

static void the_c_librarys_rules_hold(void **state)
{
    (void)state;
    only_where_memory_is_cleansed();
    errno = 77;
    free(malloc(10));
    free(NULL);
    assert_int_equal(errno, 77);
    uint8_t *block = realloc(NULL, 10);
    assert_non_null(block);
    assert_null(realloc(block, 0)); /* NOLINT(clang-analyzer-optin.portability.UnixAPI) */
    errno = 0;
    block = malloc(10);
    size_t volatile too_much = PTRDIFF_MAX;
    void *refused = realloc(block, too_much);
    assert_int_equal(errno, ENOMEM);
    if (refused == NULL)
        free(block); /* which a refused realloc leaves alone */
    assert_null(refused);
    void *aligned = NULL;
    assert_int_equal(posix_memalign(&aligned, 256, 1000), 0);
    text_write(aligned);
    free(aligned);
    assert_int_equal(count_in_memory(), 0);
}

/* The memory of each library that messages pass through. */
static void libraries_leave_nothing(void **state)
{
    uint8_t text[TEXT_SIZE];
    (void)state;
    only_where_memory_is_cleansed();
    text_write(text);
    struct evbuffer *buffer = evbuffer_new();
    assert_int_equal(evbuffer_add(buffer, text, sizeof text), 0);
    evbuffer_free(buffer);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(BIO_write(bio, text, sizeof text), sizeof text);
    BIO_free(bio);
    json_t *json = json_stringn_nocheck((const char *)text, sizeof text);
    json_decref(json);
    void *memory = OPENSSL_malloc(1000);
    memcpy(memory, text, sizeof text);
    OPENSSL_free(memory);
    memory = sqlite3_malloc(1000);
    memcpy(memory, text, sizeof text);
    sqlite3_free(memory);
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, sizeof text, file), sizeof text);
    fclose(file);
    explicit_bzero(text, sizeof text);
    assert_int_equal(count_in_memory(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(free_overwrites_blocks_of_every_size, set_up),
        cmocka_unit_test_setup(growing_leaves_no_copy_behind, set_up),
        cmocka_unit_test_setup(shrinking_leaves_no_end_behind, set_up),
        cmocka_unit_test_setup(the_c_librarys_rules_hold, set_up),
        cmocka_unit_test_setup(libraries_leave_nothing, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

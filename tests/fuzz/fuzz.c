/*
 * Fixtures, input taken piece by piece, and the end of a run in which something did not hold.
 */
#include "tests/fuzz/fuzz.h"

#include "common/base/log.h"
#include "common/crypto/file.h"
#include "common/crypto/keyfile.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sanitizer/lsan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIXTURE_MAX 8192
#define STAIN 0xa5

void fuzz_fail(const char *file, int line, const char *condition)
{
    (void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

void fuzz_start(void)
{
    FUZZ_CHECK(setpay_log_open("/dev/null", SETPAY_LOG_ERROR, SETPAY_LOG_LOGFMT) == SETPAY_OK);
    FUZZ_CHECK(setpay_secret_system_init() == SETPAY_OK);
    /* OpenSSL keeps its generators in the secret memory, where leak detection finds no pointers. */
    uint8_t byte;
    __lsan_disable();
    FUZZ_CHECK(RAND_bytes(&byte, 1) == 1 && RAND_priv_bytes(&byte, 1) == 1);
    __lsan_enable();
}

uint8_t fuzz_take(struct setpay_view *input)
{
    struct setpay_view byte = fuzz_take_bytes(input, 1);
    return byte.size == 0 ? 0 : byte.data[0];
}

struct setpay_view fuzz_take_bytes(struct setpay_view *input, size_t size)
{
    struct setpay_view taken = {input->data, size < input->size ? size : input->size};
    if (taken.size == 0)
        return SETPAY_VIEW_EMPTY;
    input->data += taken.size;
    input->size -= taken.size;
    return taken;
}

struct setpay_view fuzz_take_part(struct setpay_view *input)
{
    size_t size = (size_t)fuzz_take(input) << 8;
    size |= fuzz_take(input);
    return fuzz_take_bytes(input, size);
}

char *fuzz_text(struct setpay_view input)
{
    char *text = malloc(input.size + 1);
    FUZZ_CHECK(text != NULL);
    if (input.size != 0)
        memcpy(text, input.data, input.size);
    text[input.size] = '\0';
    return text;
}

void fuzz_stain(void *output, size_t size)
{
    memset(output, STAIN, size);
}

bool fuzz_is_stained(const void *output, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((const uint8_t *)output)[i] != STAIN)
            return false;
    return true;
}

bool fuzz_is_blank(const void *output, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((const uint8_t *)output)[i] != 0)
            return false;
    return true;
}

/* ------------------------------------------------------------------ fixtures */

struct setpay_view fuzz_fixture(const char *name)
{
    char path[256];
    struct setpay_problem problem = {{0}};
    struct setpay_buffer *content = calloc(1, sizeof(*content));
    FUZZ_CHECK(content != NULL);
    setpay_buffer_init(content, FIXTURE_MAX);
    (void)snprintf(path, sizeof(path), "tests/fuzz/fixtures/%s", name);
    if (setpay_file_read(path, content, &problem) != SETPAY_OK) {
        (void)fprintf(stderr, "%s (fuzz targets run from the top of the tree)\n", problem.text);
        exit(1);
    }
    /* Never freed: reachable from here on. */
    static struct setpay_buffer *kept[32];
    static size_t count;
    FUZZ_CHECK(count < sizeof(kept) / sizeof(kept[0]));
    kept[count++] = content;
    return setpay_buffer_view(content);
}

struct setpay_certificate *fuzz_certificate(const char *name)
{
    struct setpay_certificate *certificate = NULL;
    FUZZ_CHECK(setpay_certificate_parse(fuzz_fixture(name), &certificate) == SETPAY_OK);
    return certificate;
}

EVP_PKEY *fuzz_key(const char *name)
{
    EVP_PKEY *key = NULL;
    FUZZ_CHECK(setpay_key_parse_pem(fuzz_fixture(name), NULL, &key) == SETPAY_OK);
    return key;
}

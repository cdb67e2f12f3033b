/*
 * What fuzz targets share. Each target is one program (fuzz_NAME.c) around one parser of bytes that
 * others send: libFuzzer calls it with inputs that it derives from those of corpus/NAME, and it
 * stops (FUZZ_CHECK) where something does not hold that holds for any input.
 *
 * Keys and certificates are those of fixtures/, so that an input means the same in every run. A
 * target runs from the top of the tree.
 */
#ifndef SETPAY_TESTS_FUZZ_H
#define SETPAY_TESTS_FUZZ_H

#include "common/base/bytes.h"
#include "common/base/secret.h"
#include "common/crypto/sign.h"
#include "common/pki/certificate.h"

#include <openssl/types.h>
#include <stddef.h>
#include <stdint.h>

/* "Now" of all targets, and the day around which the fixtures are dated: 2026-11-23T12:00:00Z. */
#define FUZZ_NOW_MS INT64_C(1795435200000)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* For every input, or the target stops here and libFuzzer keeps the input. */
#define FUZZ_CHECK(condition) ((condition) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #condition))
_Noreturn void fuzz_fail(const char *file, int line, const char *condition);

/* For LLVMFuzzerInitialize: secret memory, and no log. */
void fuzz_start(void);

/* Takes from the front of an input; zeros where there is nothing left. */
uint8_t fuzz_take(struct setpay_view *input);
struct setpay_view fuzz_take_bytes(struct setpay_view *input, size_t size);
/* A length of two bytes, and as much of that as there is. */
struct setpay_view fuzz_take_part(struct setpay_view *input);
/* What is left as a text with NUL, owned by the caller (free). */
char *fuzz_text(struct setpay_view input);

/* Before a call that may fail, and after it did: the output is as it was. */
void fuzz_stain(void *output, size_t size);
bool fuzz_is_stained(const void *output, size_t size);
/* All zeros, padding included: what a failed call leaves of a struct that it began to fill. */
bool fuzz_is_blank(const void *output, size_t size);

/* fixtures/NAME. Read once at start; they live as long as the program. */
struct setpay_view fuzz_fixture(const char *name);
struct setpay_certificate *fuzz_certificate(const char *name);
EVP_PKEY *fuzz_key(const char *name);

#endif

/*
 * Secrets in OpenSSL's secure heap.
 *
 * Always true: a secret's bytes never stand in ordinary memory. Where the secure heap is not set
 * up, OpenSSL would quietly take malloc instead; every function here refuses that as our own bug.
 * OpenSSL puts the private numbers of its keys into the same heap once it is there.
 *
 * ARENA is taken at once and never grows: 4 MiB are some ten thousand keys and secrets. It must
 * fit into RLIMIT_MEMLOCK (8 MiB on Debian) or the heap stays unlocked, which is only warned about:
 * a container with a tiny limit shall still run, with swap then being the operator's to forbid.
 */
#include "common/base/secret.h"

#include "common/base/log.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define ARENA_BYTES ((size_t)4 * 1024 * 1024)
#define SMALLEST_BYTES ((size_t)64)
#define LARGEST_SECRET_BYTES ((size_t)64 * 1024)

/* What CRYPTO_secure_malloc_init answers. */
enum { HEAP_REFUSED = 0, HEAP_LOCKED = 1, HEAP_UNLOCKED = 2 };

enum setpay_error setpay_secret_system_init(void)
{
    const struct rlimit no_core = {0, 0};
    int heap = HEAP_LOCKED;

    if (setrlimit(RLIMIT_CORE, &no_core) != 0)
        setpay_log(SETPAY_LOG_WARN, "secret.core_limit",
                   setpay_field_text("text", "core dumps could not be forbidden"));
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        setpay_log(SETPAY_LOG_WARN, "secret.dumpable",
                   setpay_field_text("text", "ptrace could not be forbidden"));
    if (!CRYPTO_secure_malloc_initialized())
        heap = CRYPTO_secure_malloc_init(ARENA_BYTES, SMALLEST_BYTES);
    if (heap == HEAP_REFUSED)
        return SETPAY_E_NOMEM;
    if (heap == HEAP_UNLOCKED)
        setpay_log(SETPAY_LOG_WARN, "secret.unlocked",
                   setpay_field_text("text", "secret memory can't be locked against swapping: "
                                             "raise RLIMIT_MEMLOCK to 8 MiB or turn swap off"));
    return SETPAY_OK;
}

size_t setpay_secret_bytes_in_use(void)
{
    return CRYPTO_secure_malloc_initialized() ? CRYPTO_secure_used() : 0;
}

enum setpay_error setpay_secret_alloc(struct setpay_secret *secret, size_t size)
{
    uint8_t *data;

    if (size == 0)
        return SETPAY_E_INVALID;
    if (size > LARGEST_SECRET_BYTES)
        return SETPAY_E_TOO_BIG;
    if (secret->data != NULL || !CRYPTO_secure_malloc_initialized())
        return SETPAY_E_INTERNAL;
    data = OPENSSL_secure_zalloc(size);
    if (data == NULL)
        return SETPAY_E_NOMEM;
    secret->data = data;
    secret->size = size;
    return SETPAY_OK;
}

enum setpay_error setpay_secret_copy(struct setpay_secret *secret, struct setpay_view bytes)
{
    SETPAY_TRY(setpay_secret_alloc(secret, bytes.size));
    memcpy(secret->data, bytes.data, bytes.size);
    return SETPAY_OK;
}

enum setpay_error setpay_secret_random(struct setpay_secret *secret, size_t size)
{
    SETPAY_TRY(setpay_secret_alloc(secret, size));
    if (RAND_priv_bytes(secret->data, (int)size) != 1) {
        setpay_secret_clear(secret);
        return SETPAY_E_RANDOM;
    }
    return SETPAY_OK;
}

void setpay_secret_clear(struct setpay_secret *secret)
{
    if (secret->data != NULL)
        OPENSSL_secure_clear_free(secret->data, secret->size);
    secret->data = NULL;
    secret->size = 0;
}

void setpay_secret_move(struct setpay_secret *to, struct setpay_secret *from)
{
    if (to == from)
        return;
    setpay_secret_clear(to);
    *to = *from;
    *from = (struct setpay_secret){NULL, 0};
}

bool setpay_secret_equal(const struct setpay_secret *a, const struct setpay_secret *b)
{
    return setpay_view_equal_secret(setpay_secret_view(a), setpay_secret_view(b));
}

struct setpay_view setpay_secret_view(const struct setpay_secret *secret)
{
    return (struct setpay_view){secret->data, secret->size};
}

void setpay_cleanse(void *memory, size_t size)
{
    if (memory != NULL && size > 0)
        OPENSSL_cleanse(memory, size);
}

/*
 * The vault (rule G10). From the one key of the file two are derived, so that the key that searches
 * opens nothing. The data authenticated beside a box names column and payment: a box that was moved
 * to another row does not open.
 */
#include "gateway/payment/vault.h"

#include "common/crypto/hash.h"
#include "common/crypto/keyfile.h"
#include "common/crypto/seal.h"

#include <stdlib.h>
#include <string.h>

#define KEY_SIZE 32

struct setpay_vault {
    struct setpay_secret box_key;
    struct setpay_secret search_key;
};

static const char *const column_names[] = {
    [SETPAY_VAULT_PAN] = "pan",
    [SETPAY_VAULT_EXPIRY] = "expiry",
    [SETPAY_VAULT_BACK_KEY] = "back key",
};

/* The key file's hex digits as bytes. */
static enum setpay_error read_key(const char *path, struct setpay_secret *key,
                                  struct setpay_problem *problem)
{
    struct setpay_secret text = {0};
    char hex[KEY_SIZE * 2 + 1];
    enum setpay_error error = setpay_file_read_secret(path, &text, problem);
    if (error != SETPAY_OK)
        return error;
    error = SETPAY_E_CONFIG;
    if (text.size == KEY_SIZE * 2) {
        memcpy(hex, text.data, text.size);
        hex[text.size] = '\0';
        error = setpay_secret_alloc(key, KEY_SIZE);
        if (error == SETPAY_OK)
            error = setpay_hex_decode(hex, key->data, KEY_SIZE);
        setpay_cleanse(hex, sizeof hex);
    }
    setpay_secret_clear(&text);
    if (error != SETPAY_OK) {
        setpay_secret_clear(key);
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "%s: expected 64 hex digits, a random key of 32 bytes", path);
    }
    return SETPAY_OK;
}

enum setpay_error setpay_vault_open(const char *key_path, struct setpay_vault **vault,
                                    struct setpay_problem *problem)
{
    struct setpay_secret master = {0};
    struct setpay_vault *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = read_key(key_path, &master, problem);
    if (error == SETPAY_OK)
        error = setpay_derive(&master, SETPAY_VIEW_EMPTY, setpay_view_string("vault boxes"),
                              KEY_SIZE, &opened->box_key);
    if (error == SETPAY_OK)
        error = setpay_derive(&master, SETPAY_VIEW_EMPTY, setpay_view_string("vault search"),
                              KEY_SIZE, &opened->search_key);
    setpay_secret_clear(&master);
    if (error != SETPAY_OK) {
        setpay_vault_free(opened);
        return error;
    }
    *vault = opened;
    return SETPAY_OK;
}

void setpay_vault_free(struct setpay_vault *vault)
{
    if (vault == NULL)
        return;
    setpay_secret_clear(&vault->box_key);
    setpay_secret_clear(&vault->search_key);
    free(vault);
}

static enum setpay_error aad_of(enum setpay_vault_column column, const struct setpay_id *xid,
                                struct setpay_digest *aad)
{
    const struct setpay_view parts[] = {setpay_view_string(column_names[column]),
                                        setpay_id_view(xid)};
    return setpay_hash_parts("vault", parts, 2, aad);
}

enum setpay_error setpay_vault_seal(const struct setpay_vault *vault,
                                    enum setpay_vault_column column, const struct setpay_id *xid,
                                    const struct setpay_secret *plain, struct setpay_buffer *box)
{
    struct setpay_digest aad;
    SETPAY_TRY(aad_of(column, xid, &aad));
    return setpay_box_seal(&vault->box_key, setpay_digest_view(&aad), setpay_secret_view(plain),
                           box);
}

enum setpay_error setpay_vault_open_box(const struct setpay_vault *vault,
                                        enum setpay_vault_column column,
                                        const struct setpay_id *xid, struct setpay_view box,
                                        struct setpay_secret *plain)
{
    struct setpay_digest aad;
    SETPAY_TRY(aad_of(column, xid, &aad));
    return setpay_box_open(&vault->box_key, setpay_digest_view(&aad), box, plain);
}

enum setpay_error setpay_vault_pan_digest(const struct setpay_vault *vault,
                                          const struct setpay_secret *pan,
                                          struct setpay_digest *digest)
{
    return setpay_keyed_digest(&vault->search_key, "pan", setpay_secret_view(pan), digest);
}

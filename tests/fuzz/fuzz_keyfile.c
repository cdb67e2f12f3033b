/*
 * Files with keys: PEM with a private key, the gateway's vault key, and what rests in boxes. Input:
 * which of them, then the bytes.
 */
#include "common/crypto/keyfile.h"
#include "common/crypto/seal.h"
#include "gateway/payment/vault.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/talk.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct setpay_secret box_key;
static char path[160];
static int file = -1;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct setpay_digest key = {{7}};
    (void)argc;
    (void)argv;
    fuzz_start();
    FUZZ_CHECK(setpay_secret_copy(&box_key, setpay_digest_view(&key)) == SETPAY_OK);
    (void)snprintf(path, sizeof(path), "%s/vault.key", fuzz_folder());
    file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    FUZZ_CHECK(file >= 0);
    return 0;
}

static void check_pem(struct setpay_view pem)
{
    EVP_PKEY *key = NULL, *again = NULL;
    struct setpay_secret made = {0};
    struct setpay_digest digest, same;
    if (setpay_key_parse_pem(pem, NULL, &key) != SETPAY_OK) {
        FUZZ_CHECK(key == NULL);
        return;
    }
    FUZZ_CHECK(setpay_key_is_p256(key));
    FUZZ_CHECK(setpay_key_build_pem(key, NULL, &made) == SETPAY_OK);
    FUZZ_CHECK(setpay_key_parse_pem(setpay_secret_view(&made), NULL, &again) == SETPAY_OK);
    FUZZ_CHECK(setpay_key_digest(key, &digest) == SETPAY_OK);
    FUZZ_CHECK(setpay_key_digest(again, &same) == SETPAY_OK);
    FUZZ_CHECK(setpay_digest_equal(&digest, &same));
    setpay_secret_clear(&made);
    EVP_PKEY_free(key);
    EVP_PKEY_free(again);
}

static bool is_hex_key(struct setpay_view content)
{
    size_t size = content.size > 0 && content.data[content.size - 1] == '\n' ? content.size - 1
                                                                             : content.size;
    for (size_t i = 0; i < size; i++)
        if (strchr("0123456789abcdefABCDEF", content.data[i]) == NULL || content.data[i] == '\0')
            return false;
    return size == 64;
}

static void check_vault(struct setpay_view content)
{
    struct setpay_vault *vault = NULL;
    struct setpay_problem problem = {{0}};
    FUZZ_CHECK(ftruncate(file, 0) == 0);
    FUZZ_CHECK(pwrite(file, content.data, content.size, 0) == (ssize_t)content.size);
    enum setpay_error error = setpay_vault_open(path, &vault, &problem);
    FUZZ_CHECK((error == SETPAY_OK) == (vault != NULL));
    FUZZ_CHECK((error == SETPAY_OK) == is_hex_key(content));
    FUZZ_CHECK((error == SETPAY_OK) == (problem.text[0] == '\0'));
    setpay_vault_free(vault);
}

static void check_box(struct setpay_view box)
{
    struct setpay_secret plain = {0};
    struct setpay_buffer sealed;
    struct setpay_view aad = setpay_view_string("fuzz");
    FUZZ_CHECK(setpay_box_open(&box_key, aad, box, &plain) == SETPAY_E_CRYPTO);
    FUZZ_CHECK(plain.data == NULL);
    if (box.size == 0)
        return;
    setpay_buffer_init(&sealed, box.size + SETPAY_BOX_OVERHEAD);
    FUZZ_CHECK(setpay_box_seal(&box_key, aad, box, &sealed) == SETPAY_OK);
    FUZZ_CHECK(setpay_box_open(&box_key, aad, setpay_buffer_view(&sealed), &plain) == SETPAY_OK);
    FUZZ_CHECK(setpay_view_equal(setpay_secret_view(&plain), box));
    setpay_secret_clear(&plain);
    sealed.data[box.data[0] % sealed.size] ^= 0x80;
    FUZZ_CHECK(setpay_box_open(&box_key, aad, setpay_buffer_view(&sealed), &plain) ==
               SETPAY_E_CRYPTO);
    setpay_buffer_clear(&sealed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setpay_view input = {data, size};
    switch (fuzz_take(&input) % 3) {
    case 0:
        check_pem(input);
        break;
    case 1:
        check_vault(input);
        break;
    default:
        check_box(input);
    }
    return 0;
}

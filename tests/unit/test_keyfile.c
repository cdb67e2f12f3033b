/*
 * Keys in files: who may read them, what a wrong passphrase does, that a file is whole or not
 * there; and keys from passphrases.
 */
#include "common/crypto/keyfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
    char dir[64];
    char path[128];
    EVP_PKEY *key;
    struct setpay_secret passphrase;
};

static int set_up(void **state)
{
    static struct folder folder;
    (void)strcpy(folder.dir, "/tmp/test_keyfile.XXXXXX");
    if (mkdtemp(folder.dir) == NULL)
        return -1;
    (void)snprintf(folder.path, sizeof(folder.path), "%s/key.pem", folder.dir);
    *state = &folder;
    return setpay_key_generate(&folder.key) == SETPAY_OK &&
                   setpay_secret_copy(&folder.passphrase, setpay_view_string("correct horse")) ==
                       SETPAY_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    struct folder *folder = *state;
    char command[128];
    EVP_PKEY_free(folder->key);
    folder->key = NULL;
    setpay_secret_clear(&folder->passphrase);
    (void)snprintf(command, sizeof(command), "rm -r %s", folder->dir);
    return system(command);
}

static void check_same(EVP_PKEY *a, EVP_PKEY *b)
{
    struct setpay_digest first, second;
    assert_int_equal(setpay_key_digest(a, &first), SETPAY_OK);
    assert_int_equal(setpay_key_digest(b, &second), SETPAY_OK);
    assert_true(setpay_digest_equal(&first, &second));
}

static void keys_come_back_from_files(void **state)
{
    struct folder *folder = *state;
    struct setpay_problem problem;
    for (int encrypted = 0; encrypted < 2; encrypted++) {
        struct setpay_secret *passphrase = encrypted ? &folder->passphrase : NULL;
        struct stat status;
        EVP_PKEY *again = NULL;
        char command[256];
        assert_int_equal(setpay_key_save(folder->path, folder->key, passphrase, true, &problem),
                         SETPAY_OK);
        assert_int_equal(stat(folder->path, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0600);
        assert_int_equal(setpay_key_load(folder->path, passphrase, &again, &problem), SETPAY_OK);
        check_same(folder->key, again);
        EVP_PKEY_free(again);
        (void)snprintf(command, sizeof(command),
                       "openssl pkey -in %s -passin 'pass:correct horse' -noout", folder->path);
        assert_int_equal(system(command), 0);
    }
}

static void encrypted_files_show_no_key_and_need_the_passphrase(void **state)
{
    struct folder *folder = *state;
    struct setpay_problem problem;
    struct setpay_secret wrong = {0}, pem = {0};
    EVP_PKEY *again = NULL;
    assert_int_equal(setpay_secret_copy(&wrong, setpay_view_string("wrong")), SETPAY_OK);
    assert_int_equal(
        setpay_key_save(folder->path, folder->key, &folder->passphrase, false, &problem),
        SETPAY_OK);
    assert_int_equal(setpay_key_load(folder->path, &wrong, &again, &problem), SETPAY_E_PASSPHRASE);
    assert_int_equal(setpay_key_load(folder->path, NULL, &again, &problem), SETPAY_E_PASSPHRASE);
    assert_non_null(strstr(problem.text, folder->path));
    assert_null(again);
    assert_int_equal(setpay_file_read_secret(folder->path, &pem, &problem), SETPAY_OK);
    assert_non_null(memmem(pem.data, pem.size, "BEGIN ENCRYPTED PRIVATE KEY", 27));
    setpay_secret_clear(&pem);
    setpay_secret_clear(&wrong);
}

static void files_of_others_are_refused(void **state)
{
    struct folder *folder = *state;
    struct setpay_problem problem;
    static const mode_t modes[] = {0640, 0604, 0620, 0666, 0700 | 010};
    EVP_PKEY *again = NULL;
    char link_path[160];
    assert_int_equal(setpay_key_load(folder->path, NULL, &again, &problem), SETPAY_E_NOT_FOUND);
    assert_int_equal(setpay_key_save(folder->path, folder->key, NULL, false, &problem), SETPAY_OK);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(folder->path, modes[i]), 0);
        assert_int_equal(setpay_key_load(folder->path, NULL, &again, &problem),
                         SETPAY_E_PERMISSION);
        assert_non_null(strstr(problem.text, "0600"));
    }
    assert_int_equal(chmod(folder->path, 0400), 0);
    assert_int_equal(setpay_key_load(folder->path, NULL, &again, &problem), SETPAY_OK);
    EVP_PKEY_free(again);
    again = NULL;
    (void)snprintf(link_path, sizeof(link_path), "%s/link", folder->dir);
    assert_int_equal(symlink(folder->path, link_path), 0);
    assert_int_equal(setpay_key_load(link_path, NULL, &again, &problem), SETPAY_E_PERMISSION);
    assert_int_equal(setpay_key_load(folder->dir, NULL, &again, &problem), SETPAY_E_PERMISSION);
    assert_null(again);
}

static void nothing_is_replaced_unasked(void **state)
{
    struct folder *folder = *state;
    struct setpay_problem problem;
    EVP_PKEY *other = NULL, *again = NULL;
    assert_int_equal(setpay_key_generate(&other), SETPAY_OK);
    assert_int_equal(setpay_key_save(folder->path, folder->key, NULL, false, &problem), SETPAY_OK);
    assert_int_equal(setpay_key_save(folder->path, other, NULL, false, &problem), SETPAY_E_EXISTS);
    assert_int_equal(setpay_key_load(folder->path, NULL, &again, &problem), SETPAY_OK);
    check_same(folder->key, again);
    EVP_PKEY_free(again);
    EVP_PKEY_free(other);
    /* and no temporary file is left */
    int entries = 0;
    DIR *dir = opendir(folder->dir);
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        entries += entry->d_name[0] != '.';
    closedir(dir);
    assert_int_equal(entries, 1);
    assert_int_equal(
        setpay_file_write("/nonexistent/x", setpay_view_string("x"), 0600, true, &problem),
        SETPAY_E_IO);
}

static void other_content_is_refused(void **state)
{
    struct folder *folder = *state;
    struct setpay_problem problem;
    static const char *const texts[] = {
        "no key at all", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"};
    struct setpay_secret pem = {0};
    EVP_PKEY *again = NULL, *p384 = EVP_EC_gen("P-384");
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(
            setpay_file_write(folder->path, setpay_view_string(texts[i]), 0600, true, &problem),
            SETPAY_OK);
        assert_int_equal(setpay_key_load(folder->path, NULL, &again, &problem), SETPAY_E_INVALID);
    }
    assert_int_equal(setpay_key_build_pem(p384, NULL, &pem), SETPAY_E_CRYPTO);
    assert_int_equal(setpay_file_write(folder->path, SETPAY_VIEW_EMPTY, 0600, true, &problem),
                     SETPAY_OK);
    assert_int_equal(setpay_file_read_secret(folder->path, &pem, &problem), SETPAY_E_INVALID);
    EVP_PKEY_free(p384);
}

static void passphrases_lose_one_line_end(void **state)
{
    struct folder *folder = *state;
    struct setpay_problem problem;
    struct setpay_secret read = {0};
    assert_int_equal(
        setpay_file_write(folder->path, setpay_view_string("a secret \n"), 0600, true, &problem),
        SETPAY_OK);
    assert_int_equal(setpay_file_read_secret(folder->path, &read, &problem), SETPAY_OK);
    assert_true(setpay_view_equal(setpay_secret_view(&read), setpay_view_string("a secret ")));
    setpay_secret_clear(&read);
}

static void public_files_have_a_limit(void **state)
{
    struct folder *folder = *state;
    struct setpay_problem problem;
    struct setpay_buffer content;
    setpay_buffer_init(&content, 4);
    assert_int_equal(setpay_file_read(folder->path, &content, &problem), SETPAY_E_NOT_FOUND);
    assert_int_equal(
        setpay_file_write(folder->path, setpay_view_string("1234"), 0644, true, &problem),
        SETPAY_OK);
    assert_int_equal(setpay_file_read(folder->path, &content, &problem), SETPAY_OK);
    assert_int_equal(content.size, 4);
    assert_int_equal(
        setpay_file_write(folder->path, setpay_view_string("12345"), 0644, true, &problem),
        SETPAY_OK);
    assert_int_equal(setpay_file_read(folder->path, &content, &problem), SETPAY_E_TOO_BIG);
    setpay_buffer_clear(&content);
}

static void scrypt_is_bound_to_passphrase_and_parameters(void **state)
{
    struct folder *folder = *state;
    struct setpay_scrypt parameters, other;
    struct setpay_secret key = {0}, again = {0};
    assert_int_equal(setpay_scrypt_init(&parameters), SETPAY_OK);
    assert_int_equal(parameters.n, 1 << 15);
    assert_int_equal(setpay_scrypt_derive(&parameters, &folder->passphrase, &key), SETPAY_OK);
    assert_int_equal(key.size, 32);
    assert_int_equal(setpay_scrypt_derive(&parameters, &folder->passphrase, &again), SETPAY_OK);
    assert_true(setpay_secret_equal(&key, &again));
    setpay_secret_clear(&again);
    other = parameters;
    other.salt[0] ^= 1;
    assert_int_equal(setpay_scrypt_derive(&other, &folder->passphrase, &again), SETPAY_OK);
    assert_false(setpay_secret_equal(&key, &again));
    setpay_secret_clear(&again);
    static const struct setpay_scrypt bad[] = {
        {.n = 1 << 13, .r = 8, .p = 1},           {.n = (1 << 15) + 1, .r = 8, .p = 1},
        {.n = UINT64_C(1) << 40, .r = 8, .p = 1}, {.n = 1 << 15, .r = 0, .p = 1},
        {.n = 1 << 15, .r = 8, .p = 0},           {.n = 1 << 20, .r = 32, .p = 1},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(setpay_scrypt_derive(&bad[i], &folder->passphrase, &again),
                         SETPAY_E_INVALID);
    setpay_secret_clear(&key);
}

/* rule C2: a key is the same key however its point is written, and asking changes nothing of it. */
static void a_compressed_point_is_no_other_key(void **state)
{
    struct folder *folder = *state;
    EVP_PKEY *compressed = EVP_PKEY_dup(folder->key);
    assert_int_equal(EVP_PKEY_set_utf8_string_param(
                         compressed, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "compressed"),
                     1);
    assert_int_equal(i2d_PUBKEY(compressed, NULL), 59); /* uncompressed it has 91 bytes */
    check_same(folder->key, compressed);
    assert_int_equal(i2d_PUBKEY(compressed, NULL), 59);
    EVP_PKEY_free(compressed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_come_back_from_files),
        TEST(encrypted_files_show_no_key_and_need_the_passphrase),
        TEST(files_of_others_are_refused),
        TEST(nothing_is_replaced_unasked),
        TEST(other_content_is_refused),
        TEST(a_compressed_point_is_no_other_key),
        TEST(passphrases_lose_one_line_end),
        TEST(public_files_have_a_limit),
        TEST(scrypt_is_bound_to_passphrase_and_parameters),
    };
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
